"""Runs a graph one operator at a time over some images, so that a changed operator can be run again.

What an operator is given is what the operators before it really made. Each operator becomes a file of its own for
TFLite's interpreter: its kernels are those of the whole graph without a delegate. Only what is still to be read stays
in memory.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Set

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from stages.convert.interpreter import inner_interpreter
from stages.images import as_floats
from stages.tflite.names import operator_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

Values = Dict[int, "NDArray[Any]"]


class Walk:
    """One walk through the graph of a TFLite file, whose object form `model` may be changed on the way."""

    def __init__(self, content: bytes, pixels: NDArray[Any]) -> None:
        self.model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
        self.graph = self.model.subgraphs[0]
        self.values: Values = {int(self.graph.inputs[0]): pixels}
        self._images = len(pixels)
        self._last_reader = {
            int(index): place for place, operator in enumerate(self.graph.operators) for index in operator.inputs
        }

    @property
    def operators(self) -> List[Any]:
        """The operators in the order of their execution."""
        return list(self.graph.operators)

    def name(self, operator: Any) -> str:
        """Return the builtin name of an operator."""
        return operator_name(_code(self.model.operatorCodes[operator.opcodeIndex]))

    def tensor_name(self, index: int) -> str:
        """Return the name of a tensor."""
        name = self.graph.tensors[index].name
        return str(name.decode("utf-8") if isinstance(name, bytes) else name)

    def run(self, operator: Any) -> None:
        """Run one operator on all images; its outputs are then in `values`."""
        entries = [int(index) for index in operator.inputs if index >= 0 and not self._is_constant(int(index))]
        ends = [int(index) for index in operator.outputs]
        places = self._interpreted(operator)
        interpreter = inner_interpreter(self._alone(operator, places, entries, ends))
        interpreter.allocate_tensors()
        made: Dict[int, List[NDArray[Any]]] = {index: [] for index in ends}
        for image in range(self._images):
            for index in entries:
                interpreter.set_tensor(places[index], self.values[index][image : image + 1])
            interpreter.invoke()
            for index in ends:
                made[index].append(interpreter.get_tensor(places[index]))
        self.values.update((index, np.concatenate(found)) for index, found in made.items())

    def forget(self, place: int) -> None:
        """Let go of what no operator after the one at `place` reads."""
        for index in [index for index in self.values if self._last_reader.get(index, place + 1) <= place]:
            del self.values[index]

    def content(self) -> bytes:
        """Write the graph as it stands."""
        return bytes(flatbuffer_utils.convert_object_to_bytearray(self.model))

    def _is_constant(self, index: int) -> bool:
        data = self.model.buffers[self.graph.tensors[index].buffer].data
        return data is not None and len(data) > 0

    def _interpreted(self, operator: Any) -> Dict[int, int]:
        """Give the tensors of an operator new numbers, from 0."""
        used: List[int] = []
        seen: Set[int] = {-1}
        for index in (int(one) for one in (*operator.inputs, *operator.outputs)):
            if index not in seen:
                seen.add(index)
                used.append(index)
        return {index: place for place, index in enumerate(used)}

    def _alone(self, operator: Any, places: Dict[int, int], entries: List[int], ends: List[int]) -> bytes:
        """Write a file that holds this operator and nothing else."""
        cut = schema.ModelT()
        cut.version, cut.operatorCodes = self.model.version, [self.model.operatorCodes[operator.opcodeIndex]]
        cut.buffers = [schema.BufferT()]
        graph = schema.SubGraphT()
        graph.tensors = []
        for index in places:
            tensor = copy.copy(self.graph.tensors[index])
            tensor.buffer = 0
            if self._is_constant(index):
                tensor.buffer = len(cut.buffers)
                cut.buffers.append(self.model.buffers[self.graph.tensors[index].buffer])
            graph.tensors.append(tensor)
        alone = copy.copy(operator)
        alone.opcodeIndex = 0
        alone.inputs = [places.get(int(index), -1) for index in operator.inputs]
        alone.outputs = [places[index] for index in ends]
        graph.operators = [alone]
        graph.inputs, graph.outputs = [places[index] for index in entries], alone.outputs
        cut.subgraphs = [graph]
        return bytes(flatbuffer_utils.convert_object_to_bytearray(cut))


class Reference:
    """The float network beside a walk through its quantised graph: it goes as far as it is asked to."""

    def __init__(self, flatbuffer: bytes, pixels: NDArray[np.uint8]) -> None:
        self._walk = Walk(flatbuffer, as_floats(pixels))
        self._place = 0
        self._indices = {self._walk.tensor_name(index): index for index in range(len(self._walk.graph.tensors))}

    def values(self, name: str) -> Optional[NDArray[np.float32]]:
        """Give the values of a tensor, [image, ...]; None where the float graph has none, or not any more."""
        index = self._indices.get(name, -1)
        if not any(index in operator.outputs for operator in self._walk.operators[self._place :]):
            return self._walk.values.get(index)
        while index not in self._walk.values:
            self._walk.forget(self._place - 1)
            self._walk.run(self._walk.operators[self._place])
            self._place += 1
        return self._walk.values[index]


def _code(operator_code: Any) -> int:
    """Return the builtin code; those above 127 stand in a field of their own."""
    return max(int(operator_code.builtinCode), int(operator_code.deprecatedBuiltinCode))
