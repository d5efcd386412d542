"""Which of the supported operators end up on the Edge TPU: compiler 16 keeps one partition, the first.

Operators are taken in epochs, as TFLite's delegate partitioner does: an epoch takes every ready operator of one kind
(supported or not), the kind of its first ready operator in file order; ready is what needs only graph inputs,
constants and the outputs of this or earlier epochs. The first epoch of supported operators is the partition. This
reproduces all source and compiled pairs of google-coral/test_data that were tried, operator by operator.
"""

from __future__ import annotations

from collections import defaultdict
from heapq import heapify, heappop, heappush
from typing import Dict, List, Sequence, Set

from stages.tflite.model import ABSENT, Subgraph


def first_partition(graph: Subgraph, supported: Sequence[bool]) -> Set[int]:
    """Find the indices of the operators that the compiler keeps together on the Edge TPU."""
    order = _Order(graph, supported)
    while not order.is_over:
        kind = order.next_kind()
        epoch = order.take(kind=kind)
        if kind:
            return epoch
    return set()


class _Order:
    """Which operators of either kind are ready, in file order, and what becomes ready when one has run."""

    def __init__(self, graph: Subgraph, supported: Sequence[bool]) -> None:
        self._supported = supported
        self._outputs = [operator.outputs for operator in graph.operators]
        self._readers: Dict[int, List[int]] = defaultdict(list)
        self._waiting: List[int] = []
        made = {tensor for outputs in self._outputs for tensor in outputs}
        for index, operator in enumerate(graph.operators):
            needed = [tensor for tensor in operator.inputs if tensor != ABSENT and tensor in made]
            self._waiting.append(len(needed))
            for tensor in needed:
                self._readers[tensor].append(index)
        self._ready: Dict[bool, List[int]] = {True: [], False: []}
        for index, count in enumerate(self._waiting):
            if count == 0:
                self._ready[supported[index]].append(index)
        for heap in self._ready.values():
            heapify(heap)

    @property
    def is_over(self) -> bool:
        """Whether nothing is ready."""
        return not any(self._ready.values())

    def next_kind(self) -> bool:
        """Return the kind of the first ready operator."""
        return min((heap[0], kind) for kind, heap in self._ready.items() if heap)[1]

    def take(self, *, kind: bool) -> Set[int]:
        """Take every operator of this kind that is ready or becomes so by that."""
        taken: Set[int] = set()
        while self._ready[kind]:
            index = heappop(self._ready[kind])
            taken.add(index)
            self._run(index)
        return taken

    def _run(self, index: int) -> None:
        for tensor in self._outputs[index]:
            for reader in self._readers[tensor]:
                self._waiting[reader] -= 1
                if self._waiting[reader] == 0:
                    heappush(self._ready[self._supported[reader]], reader)
