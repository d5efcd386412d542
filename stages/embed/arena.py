"""Plans the memory of a network's activations: where each tensor lies while it lives, in one block of bytes.

The way is that of TensorFlow Lite for Microcontrollers' greedy planner: the largest tensor first, each at the lowest
place where it meets no other that lives at the same time. A tensor lives from the operator that makes it to the last
one that reads it; what goes into the network lives from the first operator on, what comes out of it to the last. What
an interpreter keeps besides (its structs for tensors and operators, and scratch memory of kernels) is not planned here:
it depends on the interpreter, its kernels and the processor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, List, Sequence, Tuple

from stages.tflite.flat import MalformedFile
from stages.tflite.sizes import BITS

if TYPE_CHECKING:
    from stages.tflite.model import Model, Tensor

ALIGNMENT = 16  # bytes: MicroArenaBufferAlignment() of TensorFlow Lite for Microcontrollers
WIDTHS = {**BITS, "int32": 32, "int64": 64, "uint32": 32, "uint64": 64, "bool": 8}


@dataclass(frozen=True)
class Block:
    """A tensor in memory: `start` and `size` in bytes, alive from operator `first` to operator `last`."""

    tensor: int
    size: int
    first: int
    last: int
    start: int = 0

    def meets(self, other: Block) -> bool:
        """Whether both live during the same operator."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Arena:
    """All activations of a network, placed."""

    blocks: Tuple[Block, ...]

    @property
    def size(self) -> int:
        """How many bytes they take."""
        return max((block.start + block.size for block in self.blocks), default=0)

    @property
    def least(self) -> int:
        """Below how many bytes no plan can come: the most that lives during one operator."""
        operators = {block.first for block in self.blocks}
        return max((sum(b.size for b in self.blocks if b.first <= at <= b.last) for at in operators), default=0)


def plan(model: Model) -> Arena:
    """Place the activations of the graph that runs.

    Raises:
        MalformedFile: a tensor has a type or a shape of unknown size.
    """
    placed: List[Block] = []
    for block in sorted(_blocks(model), key=lambda one: (-one.size, one.first, one.tensor)):
        start = _lowest_gap([other for other in placed if other.meets(block)], block.size)
        placed.append(Block(block.tensor, block.size, block.first, block.last, start))
    return Arena(tuple(sorted(placed, key=lambda one: one.tensor)))


def _lowest_gap(neighbours: Sequence[Block], size: int) -> int:
    start = 0
    for other in sorted(neighbours, key=lambda one: one.start):
        if other.start - start >= size:
            break
        start = max(start, other.start + other.size)
    return start


def _blocks(model: Model) -> List[Block]:
    """List the tensors that are computed, with their lives."""
    graph = model.main
    end = len(graph.operators) - 1
    first: Dict[int, int] = dict.fromkeys(graph.inputs, 0)
    last: Dict[int, int] = {}
    for place, operator in enumerate(graph.operators):
        for index in operator.outputs:
            first.setdefault(index, place)
            last[index] = place
        for index in operator.inputs:
            last[index] = place
    last.update(dict.fromkeys(graph.outputs, end))
    return [
        Block(index, size_of(graph.tensors[index]), begin, max(begin, last.get(index, begin)))
        for index, begin in sorted(first.items())
        if not graph.tensors[index].is_constant
    ]


def size_of(tensor: Tensor) -> int:
    """Return the bytes of a tensor's values, rounded up to the alignment."""
    if tensor.dtype not in WIDTHS or any(edge < 1 for edge in tensor.shape):
        raise MalformedFile(
            "tensor '%s' of %s and shape %s has no known size" % (tensor.name, tensor.dtype, tensor.shape)
        )
    used = -(-math.prod(tensor.shape) * WIDTHS[tensor.dtype] // 8)
    return -(-used // ALIGNMENT) * ALIGNMENT
