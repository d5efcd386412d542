"""Chooses which layers have four bits: those first whose bytes cost the least, until a size or a loss is reached.

The sensitivity stage says what each layer costs alone. What several do together it cannot say: plans are measured, and
the score of the chosen one is that of its own file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence

import numpy as np

from stages.contract import InputError
from stages.convert.constants import KERNEL, WEIGHTED
from stages.convert.narrow import least_output_error, native, packed, stand_in
from stages.convert.narrowed import Narrowing
from stages.progress import Progress
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from pathlib import Path

    from stages.convert.source import Converted, Source

BITS = 4
SHELL = 0.001  # share of the file by which the words around the weights may grow: other operators, other options
MOST_BYTES = 2**24  # of a sensitivity table


@dataclass(frozen=True)
class Choice:
    """A layer that can have four bits: its place in the int8 file, what it loses alone, what it saves."""

    place: int
    name: str
    divergence: float
    saved: int

    @property
    def price(self) -> float:
        """Loss for each byte saved; what measured as a gain is noise and costs nothing."""
        return max(0.0, self.divergence) / self.saved


def convert(source: Source) -> Converted:
    """Make a plan, and the file by it.

    Raises:
        InputError: there is no int8 file, nothing in it can have four bits, or the table is of another network.
    """
    narrowing = Narrowing(source)
    told = read_table(source.step.inputs["sensitivity"] / "sensitivity.json")
    ranked = sorted(choices(narrowing.int8, told), key=lambda one: (one.price, one.place))
    loss = source.step.parameters["largest_loss"]
    count = _by_loss(narrowing, source, ranked, loss) if loss else _by_size(narrowing, source, ranked)
    plan = {
        "by": "largest_loss" if loss else "compression",
        "narrowed": [one.name for one in ranked[:count]],
        "kept_at_8_bits": [one.name for one in ranked[count:]],
        "summed_divergence": round(sum(one.divergence for one in ranked[:count]), 9),
    }
    return narrowing.converted(_places(ranked, count), plan)


def choices(int8: bytes, table: Sequence[Dict[str, Any]]) -> List[Choice]:
    """Find the layers that can have four bits in the table: the n-th with weights in one file is so in the other.

    Raises:
        InputError: the table is of another network.
    """
    model = read_model(int8)
    graph, able = model.main, set(native(model))
    weighted = [place for place, operator in enumerate(graph.operators) if operator.name in WEIGHTED]
    shapes = [graph.tensors[graph.operators[place].inputs[KERNEL]].shape for place in weighted]
    if [tuple(layer["shape"]) for layer in table] != [tuple(shape) for shape in shapes]:
        raise _foreign("its layers have other shapes than those of the int8 file")
    return [
        Choice(place, layer["name"], _at(layer)["divergence"], layer["weights"] // 2)
        for place, layer in zip(weighted, table)
        if place in able
    ]


def fewest_to_size(savings: Sequence[int], size: int, wanted: float) -> Optional[int]:
    """How many savings, in their order, bring `size` down to what is wanted; None where all of them do not."""
    left = size - np.concatenate([[0], np.cumsum(savings)])
    enough = np.flatnonzero(left <= wanted)
    return int(enough[0]) if len(enough) else None


def most_within(count: int, measured: Callable[[int], float], largest: float) -> int:
    """How many of `count` layers the measured loss allows, found by halving: the loss grows with their number."""
    fits, too_many = 0, count + 1
    while too_many - fits > 1:
        tried = (fits + too_many) // 2
        if measured(tried) <= largest:
            fits = tried
        else:
            too_many = tried
    return fits


def _by_size(narrowing: Narrowing, source: Source, ranked: Sequence[Choice]) -> int:
    asked = source.step.parameters["compression"]
    wanted = len(narrowing.flatbuffer) / asked * (1 - SHELL)
    size = len(packed(narrowing.int8, ()))  # what is written once is written so with no layer narrowed as well
    count = fewest_to_size([one.saved for one in ranked], size, wanted)
    if count is None:
        source.step.warning(
            "four bits in all 1x1 convolutions give less than convert.compression = %g; ask for less, or take int2"
            % asked
        )
    return len(ranked) if count is None else count


def _by_loss(narrowing: Narrowing, source: Source, ranked: Sequence[Choice], largest: float) -> int:
    progress = Progress(source.step, len(ranked).bit_length() + 1, "plan", "measuring")

    def measured(count: int) -> float:
        tried = stand_in(narrowing.int8, narrowing.pixels, least_output_error, _places(ranked, count))
        progress.advance()
        return narrowing.judge.score(tried).regret

    count = most_within(len(ranked), measured, largest)
    if not count:
        regret = narrowing.judge.score(narrowing.int8).regret
        source.step.warning(
            "no layer has four bits: convert.largest_loss = %g, and the int8 file is expected to lose %.4f by itself; "
            "allow more, or calibrate with more images (convert.calibration_images)" % (largest, regret)
        )
    return count


def _places(ranked: Sequence[Choice], count: int) -> List[int]:
    return sorted(one.place for one in ranked[:count])


def _at(layer: Dict[str, Any]) -> Dict[str, Any]:
    found = [one for one in layer["widths"] if one["bits"] == BITS]
    if not found:
        raise InputError("the sensitivity table has no width of %d bits" % BITS, "put it into sensitivity.bits")
    return dict(found[0])


def read_table(path: Path) -> List[Dict[str, Any]]:
    """Read the layers of a `sensitivity.json`.

    Raises:
        InputError: it is none.
    """
    try:
        with path.open("rb") as file:
            told = json.loads(file.read(MOST_BYTES))
        layers: List[Dict[str, Any]] = told["layers"]
        if (told["schema"], told["version"]) != ("coralline.sensitivity", 1):
            raise _foreign("another version")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _foreign(str(error)) from error
    return layers


def _foreign(reason: str) -> InputError:
    return InputError(
        "the sensitivity table is not one of this network: %s" % reason, "make it again: --from sensitivity"
    )
