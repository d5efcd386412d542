"""What is in a compiled file: what runs on the Edge TPU, what stays on the CPU, and what crosses the bus.

A file with several operators for the Edge TPU gets sums, but for two values: `min_runtime_version` is the highest, for
the runtime must suit them all, and `narrow_bytes_per_tile` the largest, for they run one after another. An operator
with several packages, which no published file has and the runtime refuses, counts by its first; all are listed. Bytes
other than the cached ones are those of every inference.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Sequence

from stages.contract import InputError
from stages.edgetpu.compiled.checks import runtime_checks
from stages.edgetpu.compiled.hints import CONTENTS, DIRECTIONS, INSTRUCTIONS, Hints
from stages.edgetpu.compiled.operator import CUSTOM_CODE, CustomOperator, read_custom_operator
from stages.tflite.flat import Buffer, Work, reading
from stages.tflite.model import Model, Operator, Subgraph, Tensor, read_model

if TYPE_CHECKING:
    from stages.edgetpu.compiled.executable import Executable
    from stages.edgetpu.compiled.layers import Layer
    from stages.edgetpu.compiled.package import Package

VERSION = 1
TRANSFERRED = (INSTRUCTIONS, *CONTENTS.values())


@dataclass(frozen=True)
class Part:
    """One operator for the Edge TPU, with its place in the file and the programs of it that the runtime uses."""

    graph: int
    index: int
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]
    content: CustomOperator
    running: Executable
    caching: Optional[Executable]


def inspect(content: bytes) -> Dict[str, Any]:
    """Describe a compiled file, as the document of `./run inspect --json`.

    Raises:
        MalformedFile: it is no TFLite file, or is damaged; the message says where.
        InputError: it was not compiled for the Edge TPU.
    """
    model = read_model(content)
    parts = _read_parts(model)
    if not parts:
        raise InputError(
            "the file holds no operator for the Edge TPU: it was not compiled, or nothing in it could be mapped",
            "look at a file that is not compiled with `./run check`, which says what the compiler will do",
        )
    return {
        "schema": "coralline.inspection",
        "version": VERSION,
        "description": model.description,
        "cpu_operators": _cpu_operators(model),
        **_totals(parts),
        "bus_traffic": _describe_traffic([part.running.hints for part in parts]),
        "operators": [_describe_part(part) for part in parts],
        "checks": [
            {"graph": part.graph, "operator": part.index, **check}
            for part in parts
            for check in runtime_checks(part.content, part.inputs, part.outputs)
        ],
    }


def _read_parts(model: Model) -> List[Part]:
    """Read all operators for the Edge TPU; they share one allowance of work."""
    work, parts = Work(), []
    for number, graph in enumerate(model.subgraphs):
        for index, operator in enumerate(graph.operators):
            if operator.is_custom and operator.name == CUSTOM_CODE:
                with reading("Edge TPU operator %d of graph %d" % (index, number)):
                    parts.append(_read_part(number, index, graph, operator, work))
    return parts


def _read_part(number: int, index: int, graph: Subgraph, operator: Operator, work: Work) -> Part:
    inputs = [graph.tensors[tensor] for tensor in operator.inputs if tensor >= 0]
    outputs = [graph.tensors[tensor] for tensor in operator.outputs]
    content = read_custom_operator(Buffer(operator.payload, work))
    return Part(number, index, inputs, outputs, content, content.package.running, content.package.caching)


def _cpu_operators(model: Model) -> Dict[str, int]:
    """Count what stays on the CPU, in all graphs; an operator that is not built in by its custom code."""
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    names = (each.name for each in operators if not (each.is_custom and each.name == CUSTOM_CODE))
    return dict(sorted(Counter(names).items()))


def _totals(parts: Sequence[Part]) -> Dict[str, Any]:
    packages = [part.content.package for part in parts]
    running = [part.running for part in parts]
    caching = [part.caching for part in parts if part.caching]
    return {
        "subgraphs": len(parts),
        "compiler": ", ".join(sorted({package.compiler_version for package in packages})),
        "min_runtime_version": max(package.min_runtime_version for package in packages),
        "package_bytes": sum(package.size_bytes for package in packages),
        "cached_bytes": sum(len(each.parameters) for each in caching),
        "streamed_bytes": sum(len(each.parameters) for each in running),
        "instruction_bytes": sum(each.instruction_bytes for each in running),
        "caching_instruction_bytes": sum(each.instruction_bytes for each in caching),
        "scratch_bytes": sum(each.scratch_bytes for each in running),
        "narrow_bytes_per_tile": max(each.narrow_bytes_per_tile for each in running),
        "estimated_cycles": sum(each.estimated_cycles for each in running),
    }


def _describe_traffic(hints: Sequence[Hints]) -> Dict[str, Any]:
    """Sum what crosses the bus in an inference; less than the truth when it is not `deterministic`."""
    moved = [transfer for each in hints for transfer in each.transfers]
    sums: Dict[str, Any] = {direction: dict.fromkeys(TRANSFERRED, 0) for direction in DIRECTIONS.values()}
    for transfer in moved:
        sums[transfer.direction][transfer.content] += transfer.size_bytes
    transfers = {content: sum(transfer.content == content for transfer in moved) for content in TRANSFERRED}
    signals = {"interrupts": sum(each.interrupts for each in hints), "fences": sum(each.fences for each in hints)}
    return {
        "deterministic": all(each.is_complete for each in hints),
        **sums,
        "transfers": {**transfers, **signals},
    }


def _describe_part(part: Part) -> Dict[str, Any]:
    running, content = part.running, part.content
    return {
        "graph": part.graph,
        "index": part.index,
        "keys": list(content.keys),
        "chip_codes": None if content.chip_codes is None else list(content.chip_codes),
        "execution_preference": content.preference,
        "packages": [_describe_package(package) for package in content.packages],
        "inputs": _describe_layers(running.inputs),
        "outputs": _describe_layers(running.outputs),
        "bus_traffic": _describe_traffic([running.hints]),
    }


def _describe_package(package: Package) -> Dict[str, Any]:
    return {
        "bytes": package.size_bytes,
        "compiler": package.compiler_version,
        "min_runtime_version": package.min_runtime_version,
        "model_identifier": package.model_identifier,
        "executables": [_describe_executable(executable) for executable in package.executables],
    }


def _describe_executable(executable: Executable) -> Dict[str, Any]:
    return {
        "name": executable.name,
        "type": executable.type_name,
        "chip": executable.chip,
        "parameter_bytes": len(executable.parameters),
        "instruction_bytes": [len(chunk) for chunk in executable.instructions],
        "scratch_bytes": executable.scratch_bytes,
        "narrow_bytes_per_tile": executable.narrow_bytes_per_tile,
        "estimated_cycles": executable.estimated_cycles,
        "caching_token": None if executable.token_place is None else "%016x" % executable.caching_token,
        "parameters_in_dram": executable.uses_dram,
    }


def _describe_layers(layers: Iterable[Layer]) -> List[Dict[str, Any]]:
    return [
        {
            "name": layer.name,
            "shape": list(layer.shape),  # y, x, z
            "bytes": layer.size_bytes,
            "data_type": layer.data_type,
            "zero_point": layer.zero_point,
            "scale": layer.scale,
            "executions": layer.executions,
        }
        for layer in layers
    ]
