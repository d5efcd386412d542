"""What survives a kill: the state of the gradient start or of the search, complete or not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

import numpy as np

from stages.arrays import Expected, read_arrays, write_arrays
from stages.contract import InputError
from stages.evolve.genomes import Population
from stages.evolve.gradient import Soft
from stages.evolve.search import State

if TYPE_CHECKING:
    from pathlib import Path

    from stages.arrays import Arrays

MOST_BYTES = 2**28
SOFT = {
    "choices": Expected("int64", 3),
    "counts": Expected("int64", 1),
    "share": Expected("float64", 3),
    "entry": Expected("float64", 2),
    **{name: Expected("float64", 1) for name in ("share1", "share2", "entry1", "entry2")},
}
SEARCH = {
    "wires": Expected("int64", 3),
    "tables": Expected("uint64", 2),
    "touched": Expected("bool", 2),
    "best_wires": Expected("int64", 2),
    "best_tables": Expected("uint64", 1),
}
SAID = Expected("uint8", 1)  # what is no array, as JSON


class Checkpoints:
    """The checkpoints of one step in `folder`, which is the step's own: another key is another folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep_soft(self, soft: Soft, random: np.random.Generator) -> None:
        """Keep the gradient start after an epoch."""
        self._write("soft.npz", soft.arrays(), {"random": random.bit_generator.state})

    def soft(self) -> Optional[Tuple[Soft, np.random.Generator]]:
        """Return the gradient start as it was kept, or None."""
        found = self._read("soft.npz", SOFT)
        return None if found is None else (Soft.restored(found[0]), _random(found[1]["random"]))

    def keep(self, state: State) -> None:
        """Keep the search."""
        one = state.population
        arrays = {"wires": one.wires, "tables": one.tables, "touched": one.touched}
        arrays |= {"best_wires": state.best[0], "best_tables": state.best[1]}
        said = {
            "random": state.random.bit_generator.state,
            "generation": state.generation,
            "best_right": state.best_right,
            "history": state.history,
        }
        self._write("search.npz", arrays, said)

    def search(self) -> Optional[State]:
        """Return the search as it was kept, or None."""
        found = self._read("search.npz", SEARCH)
        if found is None:
            return None
        arrays, said = found
        return State(
            population=Population(arrays["wires"], arrays["tables"].copy(), arrays["touched"]),
            random=_random(said["random"]),
            generation=said["generation"],
            best=(arrays["best_wires"], arrays["best_tables"]),
            best_right=said["best_right"],
            history=said["history"],
        )

    def _write(self, name: str, arrays: Arrays, said: Dict[str, Any]) -> None:
        beside = self._folder / ("%s.new" % name)
        text = np.frombuffer(json.dumps(said).encode("utf-8"), np.uint8)
        write_arrays(beside, {**arrays, "said": text})
        beside.replace(self._folder / name)

    def _read(self, name: str, expected: Dict[str, Expected]) -> Optional[Tuple[Arrays, Dict[str, Any]]]:
        """Read a checkpoint; what a crash of the machine left half written is as good as none."""
        if not (self._folder / name).is_file():
            return None
        try:
            arrays = read_arrays(self._folder / name, {**expected, "said": SAID}, MOST_BYTES, "begin again")
            said: Dict[str, Any] = json.loads(arrays.pop("said").tobytes())
        except (InputError, ValueError):
            return None
        return arrays, said


def _random(state: Dict[str, Any]) -> np.random.Generator:
    random = np.random.default_rng()
    random.bit_generator.state = state
    return random
