"""What a TFLite file says about itself, read without TensorFlow: operators, tensors, inputs and outputs.

Weights are viewed, not copied. Field numbers are those of tensorflow/lite/schema/schema.fbs, version 3.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Dict, List, Sequence, Tuple

from stages.tflite.flat import FLOAT32, INT8, INT32, INT64, UINT32, Buffer, MalformedFile, Table
from stages.tflite.names import CUSTOM, operator_name, tensor_type_name
from stages.tflite.options import read_options

SCHEMA_VERSION = 3
ABSENT = -1  # an optional input that is left out
MOST_DIMENSIONS = 16  # TFLite's kernels take at most eight


@dataclass(frozen=True)
class Tensor:
    """One tensor; `scales` is empty when it is not quantised and has several entries when it is so per channel.

    `data` are the bytes of a constant, empty for what is computed; `buffer` is the number of the place that holds
    them, which several tensors may share, as they may share the zero points that stand at `zero_points_at` in the file.
    """

    name: str
    dtype: str
    shape: Tuple[int, ...]
    shape_signature: Tuple[int, ...]
    scales: Tuple[float, ...]
    zero_points: Tuple[int, ...]
    axis: int = 0
    buffer: int = 0
    data: memoryview = field(default=memoryview(b""), repr=False)
    is_variable: bool = False
    zero_points_at: int = field(default=0, compare=False)

    @cached_property
    def has_sound_scales(self) -> bool:
        """Whether every scale is a positive number; looked at once, however many operators share the tensor."""
        return all(math.isfinite(scale) and scale > 0 for scale in self.scales)

    @property
    def is_constant(self) -> bool:
        """Whether the file holds its values."""
        return len(self.data) > 0


@dataclass(frozen=True)
class Operator:
    """One operator in execution order; `inputs` and `outputs` are tensor indices, `ABSENT` for an input left out.

    `name` is the custom code of an operator that is not built in (`is_custom`), `payload` what the file gives to it.
    """

    name: str
    version: int
    inputs: Tuple[int, ...]
    outputs: Tuple[int, ...]
    options: Dict[str, int] = field(default_factory=dict)
    is_custom: bool = False
    payload: memoryview = field(default=memoryview(b""), repr=False)


@dataclass(frozen=True)
class Subgraph:
    """One graph of operators."""

    tensors: Tuple[Tensor, ...]
    operators: Tuple[Operator, ...]
    inputs: Tuple[int, ...]
    outputs: Tuple[int, ...]


@dataclass(frozen=True)
class Model:
    """A TFLite file; the first subgraph is the one that runs."""

    subgraphs: Tuple[Subgraph, ...]
    description: str = ""

    @property
    def main(self) -> Subgraph:
        """The subgraph that runs."""
        return self.subgraphs[0]


def read_model(content: bytes) -> Model:
    """Read the structure of a TFLite file.

    Raises:
        MalformedFile: it is not one, or is damaged.
    """
    if len(content) < 8 or content[4:8] != b"TFL3":
        raise MalformedFile("it does not have the mark of a TFLite file")
    root = Buffer(content).root()
    version = root.number(0, UINT32, 0)
    if version != SCHEMA_VERSION:
        raise MalformedFile("schema version %d, expected %d" % (version, SCHEMA_VERSION))
    kinds = [_read_kind(table) for table in root.tables(1)]
    places = [table.octets(0) for table in root.tables(4)]
    if sum(map(len, places)) > len(content):
        raise MalformedFile("its buffers overlap")
    subgraphs = tuple(_read_subgraph(table, kinds, places) for table in root.tables(2))
    if not subgraphs:
        raise MalformedFile("it holds no graph")
    return Model(subgraphs, root.text(3))


def operator_counts(model: Model) -> List[Dict[str, Any]]:
    """Count every kind of operator by version, sorted: `{"name", "version", "count"}`."""
    counts = Counter((operator.name, operator.version) for graph in model.subgraphs for operator in graph.operators)
    return [{"name": name, "version": version, "count": count} for (name, version), count in sorted(counts.items())]


def describe(tensor: Tensor) -> Dict[str, Any]:
    """Describe a tensor as the records show it: `{"shape", "dtype", "scale", "zero_point"}`, null for floats."""
    return {
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": tensor.scales[0] if tensor.scales else None,
        "zero_point": tensor.zero_points[0] if tensor.zero_points else None,
    }


def inputs_and_outputs(model: Model) -> Tuple[List[Tensor], List[Tensor]]:
    """Find the tensors that a caller fills and reads."""
    graph = model.main
    return [graph.tensors[index] for index in graph.inputs], [graph.tensors[index] for index in graph.outputs]


def float_tensors(model: Model) -> List[str]:
    """Name all tensors with floating-point values: none in a fully quantised file."""
    return [tensor.name for graph in model.subgraphs for tensor in graph.tensors if _is_float(tensor)]


def float_operators(model: Model) -> List[str]:
    """Name the operators that compute in floating point, in graph order; those that only lead there do not count."""
    return [
        operator.name
        for graph in model.subgraphs
        for operator in graph.operators
        if operator.name != "DEQUANTIZE" and any(_is_float(graph.tensors[index]) for index in operator.outputs)
    ]


def _is_float(tensor: Tensor) -> bool:
    return tensor.dtype.startswith(("float", "bfloat"))


def _read_kind(table: Table) -> Tuple[str, int, bool]:
    """Read name and version of an operator code; codes above 127 stand in a field of their own."""
    code = max(table.number(0, INT8, 0), table.number(3, INT32, 0))
    name = table.text(1) if code == CUSTOM else operator_name(code)
    return name, table.number(2, INT32, 1), code == CUSTOM


def _read_subgraph(table: Table, kinds: Sequence[Tuple[str, int, bool]], places: Sequence[memoryview]) -> Subgraph:
    tensors = tuple(_read_tensor(entry, places) for entry in table.tables(0))
    operators = tuple(_read_operator(entry, kinds, len(tensors)) for entry in table.tables(3))
    inputs, outputs = table.numbers(1, INT32), table.numbers(2, INT32)
    _check_indices(inputs + outputs, len(tensors), lowest=0)
    return Subgraph(tensors, operators, inputs, outputs)


def _read_tensor(table: Table, places: Sequence[memoryview]) -> Tensor:
    quantisation, buffer = table.table(4), table.number(2, UINT32, 0)
    shape, signature = table.numbers(0, INT32), table.numbers(7, INT32)
    if max(len(shape), len(signature)) > MOST_DIMENSIONS:
        raise MalformedFile("a tensor of %d dimensions" % max(len(shape), len(signature)))
    if buffer >= max(len(places), 1):
        raise MalformedFile("a tensor in buffer %d, there are %d" % (buffer, len(places)))
    return Tensor(
        name=table.text(3),
        dtype=tensor_type_name(table.number(1, INT8, 0)),
        shape=shape,
        shape_signature=signature,
        scales=() if quantisation is None else quantisation.numbers(2, FLOAT32),
        zero_points=() if quantisation is None else quantisation.numbers(3, INT64),
        axis=0 if quantisation is None else quantisation.number(6, INT32, 0),
        buffer=buffer,
        data=places[buffer] if places else memoryview(b""),
        is_variable=bool(table.number(5, INT8, 0)),
        zero_points_at=0 if quantisation is None else quantisation.target(3) or 0,
    )


def _read_operator(table: Table, kinds: Sequence[Tuple[str, int, bool]], tensors: int) -> Operator:
    kind = table.number(0, UINT32, 0)
    if kind >= len(kinds):
        raise MalformedFile("an operator of kind %d, there are %d" % (kind, len(kinds)))
    inputs, outputs = table.numbers(1, INT32), table.numbers(2, INT32)
    _check_indices(inputs, tensors, lowest=ABSENT)
    _check_indices(outputs, tensors, lowest=0)
    name, version, is_custom = kinds[kind]
    options = {} if is_custom else read_options(name, table.table(4))
    return Operator(name, version, inputs, outputs, options, is_custom, table.octets(5))


def _check_indices(indices: Sequence[int], count: int, *, lowest: int) -> None:
    for index in indices:
        if not lowest <= index < count:
            raise MalformedFile("tensor %d does not exist, there are %d" % (index, count))
