"""The operator where two runs of files with one graph part, on one image, and on which kernels it was computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional

from stages.parity.divergence import Pair, first_divergence
from stages.parity.kernels import BUILT_IN, REFERENCE, XNNPACK, open_file, taken
from stages.parity.look import ending_with, look
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOT_FOUND = "no operator has equal inputs and different outputs when the graph is cut behind it"


def locate(content: bytes, kernels: str, image: NDArray[Any], *, standard: Optional[bytes] = None) -> Dict[str, Any]:
    """Find it between a file on some kernels and the reference kernels on the same file, or on `standard`."""
    graph = read_model(content).main
    pair = Pair(graph, look(content, kernels, image), look(standard or content, REFERENCE, image))
    found = first_divergence(pair, scan=kernels != XNNPACK)
    if found is None:
        return {"index": None, "reason": NOT_FOUND, "tensors_compared": len(pair.seen)}
    return {**found, "computed_by": _computed_by(content, kernels, found["index"])}


def _computed_by(content: bytes, kernels: str, place: int) -> str:
    """Say whether a delegate computed the operator in the cut graph that was looked at, or the built-in kernels did."""
    if kernels != XNNPACK:
        return kernels
    cut = ending_with(content, read_model(content).main.operators[place].outputs[0], place)
    return XNNPACK if place in taken(open_file(cut, kernels), read_model(cut).main) else BUILT_IN
