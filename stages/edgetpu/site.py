"""One operator with the tensors around it, so that a rule can be said in one line."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Dict, FrozenSet, List, Optional, Tuple

from stages.tflite.model import ABSENT, Operator, Subgraph, Tensor

MOST_INTEGERS = 64  # axes, paddings, strides: far more than any tensor has dimensions
LAYER_NOISE = ("StatefulPartitionedCall", "PartitionedCall", "model", "functional", "sequential")


@dataclass(frozen=True)
class Site:
    """An operator in its place: `inputs` has None for an input that is left out."""

    index: int
    operator: Operator
    inputs: Tuple[Optional[Tensor], ...]
    outputs: Tuple[Tensor, ...]
    _seen: Dict[int, FrozenSet[int]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The operator's kind."""
        return self.operator.name

    @property
    def options(self) -> Dict[str, int]:
        """The operator's options."""
        return self.operator.options

    @property
    def computed(self) -> List[Tensor]:
        """The inputs whose values are not in the file."""
        return [tensor for tensor in self.inputs if tensor is not None and not tensor.is_constant]

    @property
    def tensor(self) -> str:
        """The name of the first output, by which people find the operator."""
        return self.outputs[0].name if self.outputs else ""

    def input(self, number: int) -> Optional[Tensor]:
        """Find the input at this place, or None where it is left out."""
        return self.inputs[number] if number < len(self.inputs) else None

    def integers(self, number: int) -> Optional[Tuple[int, ...]]:
        """Read a constant input of whole numbers, such as axes; None when it is not constant or of another type."""
        tensor = self.input(number)
        kind = {"int32": "i", "int64": "q"}.get(tensor.dtype) if tensor is not None else None
        if tensor is None or kind is None:
            return None
        count, rest = divmod(len(tensor.data), struct.calcsize("<" + kind))
        if rest or not 0 < count <= MOST_INTEGERS:
            return None
        return struct.unpack("<%d%s" % (count, kind), tensor.data)

    def bytes_in(self, tensor: Tensor) -> FrozenSet[int]:
        """Collect the different bytes of a constant; once for each buffer, which many operators may share."""
        if tensor.buffer not in self._seen:
            self._seen[tensor.buffer] = frozenset(bytes(tensor.data))
        return self._seen[tensor.buffer]


def sites(graph: Subgraph) -> List[Site]:
    """List the operators of a graph in their order."""
    tensors = graph.tensors
    seen: Dict[int, FrozenSet[int]] = {}
    return [
        Site(
            index,
            operator,
            tuple(None if place == ABSENT else tensors[place] for place in operator.inputs),
            tuple(tensors[place] for place in operator.outputs),
            seen,
        )
        for index, operator in enumerate(graph.operators)
    ]


def layer(tensor: str) -> str:
    """Guess the Keras layer that a tensor comes from: converters write `model/LAYER/Operation`, joined by `;`."""
    parts = [part for part in tensor.split(";", maxsplit=1)[0].split("/") if part and not part.startswith(LAYER_NOISE)]
    return parts[-2] if len(parts) > 1 else (parts[0] if parts else tensor)


def elements(shape: Tuple[int, ...]) -> int:
    """Count the elements of a shape; a hostile one cannot make the number huge."""
    count = 1
    for size in shape[:8]:
        count = min(count * max(size, 0), 1 << 62)
    return count
