"""Chooses which layers have four bits: those first whose bytes cost the least, until a size or a loss is reached.

The sensitivity stage says what each layer costs alone. What several do together it cannot say: plans are measured, and
the score of the chosen one is that of its own file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Sequence

from stages.contract import InputError
from stages.convert.constants import WEIGHTED
from stages.convert.narrow import least_output_error, stand_in
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
    ranked = sorted(choices(narrowing, source), key=lambda one: (one.price, one.place))
    loss = source.step.parameters["largest_loss"]
    taken = _to_loss(narrowing, source, ranked, loss) if loss else _to_size(narrowing, source, ranked)
    plan = {
        "by": "largest_loss" if loss else "compression",
        "narrowed": [one.name for one in taken],
        "kept_at_8_bits": [one.name for one in ranked[len(taken) :]],
        "summed_divergence": round(sum(one.divergence for one in taken), 9),
    }
    return narrowing.converted(sorted(one.place for one in taken), plan)


def choices(narrowing: Narrowing, source: Source) -> List[Choice]:
    """Find the layers that can have four bits in the table: the n-th with weights in one file is so in the other."""
    told = _read(source.step.inputs["sensitivity"] / "sensitivity.json")
    graph = read_model(narrowing.int8).main
    weighted = [place for place, operator in enumerate(graph.operators) if operator.name in WEIGHTED]
    if len(weighted) != len(told):
        raise _foreign("%d layers, the file has %d" % (len(told), len(weighted)))
    found = []
    for place, layer in zip(weighted, told):
        shape = graph.tensors[graph.operators[place].inputs[1]].shape
        if tuple(layer["shape"]) != tuple(shape):
            raise _foreign("layer %s is %r, the file has %r" % (layer["name"], layer["shape"], list(shape)))
        if place in narrowing.places:
            found.append(Choice(place, layer["name"], _at(layer)["divergence"], layer["weights"] // 2))
    return found


def _to_size(narrowing: Narrowing, source: Source, ranked: Sequence[Choice]) -> Sequence[Choice]:
    """Take the cheapest layers until the file is small enough; all of them where it never is."""
    asked = source.step.parameters["compression"]
    wanted = len(narrowing.flatbuffer) / asked * (1 - SHELL)
    for count in range(len(ranked) + 1):
        if len(narrowing.int8) - sum(one.saved for one in ranked[:count]) <= wanted:
            return ranked[:count]
    source.step.warning("four bits in all 1x1 convolutions give less than convert.compression = %g" % asked)
    return ranked


def _to_loss(narrowing: Narrowing, source: Source, ranked: Sequence[Choice], loss: float) -> Sequence[Choice]:
    """Take as many of the cheapest layers as the measured loss allows, found by halving."""
    fits, too_many = 0, len(ranked) + 1
    progress = Progress(source.step, len(ranked).bit_length() + 1, "plan", "measuring")
    while too_many - fits > 1:
        count = (fits + too_many) // 2
        places = sorted(one.place for one in ranked[:count])
        tried = stand_in(narrowing.int8, narrowing.pixels, least_output_error, places)
        if narrowing.judge.score(tried).regret <= loss:
            fits = count
        else:
            too_many = count
        progress.advance()
    return ranked[:fits]


def _at(layer: Dict[str, Any]) -> Dict[str, Any]:
    found = [one for one in layer["widths"] if one["bits"] == BITS]
    if not found:
        raise InputError("the sensitivity table has no width of %d bits" % BITS, "put it into sensitivity.bits")
    return dict(found[0])


def _read(path: Path) -> List[Dict[str, Any]]:
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
