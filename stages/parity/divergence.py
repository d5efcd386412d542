"""Where two runs of one graph begin to differ: an operator that is given equal values and makes different ones.

Bisection needs no difference that persists, and differences do vanish: rounding, a maximum or a mean can swallow them.
It looks at cuts, not at single tensors. A cut behind an operator holds all values that any later operator, or the
caller, still reads. The first cut holds the input, which is equal; the last one holds the output, which is not. Between
an equal and a different cut there are always two neighbours of which the first is equal and the second is not, and
halving the way keeps one on either side. Only one operator stands between neighbours: what it was given is in the
equal cut, so the difference is of its own making. An operator further ahead may also have differed, but nothing of
that was left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Dict, FrozenSet, List, Optional, Tuple

import numpy as np

from stages.edgetpu.site import layer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.parity.look import Look
    from stages.tflite.model import Subgraph


@dataclass
class Pair:
    """Two runs of one graph of whole numbers on one image; each tensor is looked at once."""

    graph: Subgraph
    one: Look
    reference: Look
    seen: Dict[int, NDArray[np.int64]] = field(default_factory=dict)

    def steps(self, tensor: int) -> NDArray[np.int64]:
        """Compute by how many steps each value differs."""
        if tensor not in self.seen:
            values = [look(tensor).astype(np.int64) for look in (self.one, self.reference)]
            self.seen[tensor] = np.abs(values[0] - values[1])
        return self.seen[tensor]

    def differs(self, tensor: int) -> bool:
        """Whether any value of a tensor differs."""
        return bool(self.steps(tensor).any())

    def begins_at(self, place: int) -> bool:
        """Whether an operator is given equal values and makes different ones."""
        operator = self.graph.operators[place]
        computed = [tensor for tensor in operator.inputs if tensor in self.computed]
        return any(map(self.differs, operator.outputs)) and not any(map(self.differs, computed))

    @cached_property
    def computed(self) -> FrozenSet[int]:
        """The tensors that operators compute: all others are the same by definition."""
        return frozenset(tensor for operator in self.graph.operators for tensor in operator.outputs)


def first_divergence(pair: Pair, *, scan: bool) -> Optional[Dict[str, Any]]:
    """Name the operator where two runs begin to differ; None when none can be found.

    With `scan` all operators are looked at in their order, so it is the very first one; that is quick where tensors
    are kept. Without, it is found by bisection, and by a scan only should the operator found not hold what was said.
    """
    method, place = "scan", None
    if not scan:
        method, place = "bisection", bisect(pair)
        if place is not None and not pair.begins_at(place):
            method, place = "scan after bisection", None
    if place is None:
        place = next((place for place in range(len(pair.graph.operators)) if pair.begins_at(place)), None)
    return None if place is None else {**_described(pair, place), "method": method, "tensors_compared": len(pair.seen)}


def bisect(pair: Pair) -> Optional[int]:
    """Find two neighbouring cuts of which only the second differs; return the operator between them."""
    equal, different = -1, len(pair.graph.operators) - 1
    if not any(map(pair.differs, cut(pair.graph, different))):
        return None
    while different - equal > 1:
        middle = (equal + different) // 2
        if any(map(pair.differs, cut(pair.graph, middle))):
            different = middle
        else:
            equal = middle
    return different


def cut(graph: Subgraph, place: int) -> List[int]:
    """List the tensors that are computed up to an operator and still read behind it, the newest first."""
    behind = {tensor for operator in graph.operators[place + 1 :] for tensor in operator.inputs} | set(graph.outputs)
    made = [tensor for operator in graph.operators[: place + 1] for tensor in operator.outputs]
    return [tensor for tensor in reversed(made) if tensor in behind]


def _described(pair: Pair, place: int) -> Dict[str, Any]:
    operator = pair.graph.operators[place]
    tensor, steps = _worst(pair, operator.outputs)
    name = pair.graph.tensors[tensor].name
    return {
        "index": place,
        "operator": operator.name,
        "tensor": name,
        "layer": layer(name),
        "elements": int(steps.size),
        "different": int((steps > 0).sum()),
        "largest_steps": int(steps.max()),
    }


def _worst(pair: Pair, tensors: Tuple[int, ...]) -> Tuple[int, NDArray[np.int64]]:
    """Choose the output of an operator that differs most."""
    found = max(tensors, key=lambda tensor: int((pair.steps(tensor) > 0).sum()))
    return found, pair.steps(found)
