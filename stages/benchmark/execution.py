"""As what a runtime executes the weights of a file, found by measuring it and not by what the file says of itself.

The weights of one kind of operator may be kept as they are stored, unpacked to bytes, or made floats. Which it is shows
in how much a fresh process grows for each of them, for good or while it runs. That is measured with the largest
operator of the kind, alone, its channels repeated (`single.py`); it counts for those operators of the file that XNNPACK
takes, or leaves, as it does that one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from stages.benchmark import resident
from stages.benchmark.single import DEPTHWISE, repeats, single
from stages.benchmark.single import count as weights_of
from stages.contract import number
from stages.tflite.model import Model, Tensor, read_model
from stages.tflite.sizes import BITS, Weights, weights

VERSION = 1
UNKNOWN = "not measured"
STORED = "storage only"  # what no runtime executes
NATIVE, UNPACKED, DEQUANTISED, INT8, FLOAT = (
    "int4-native",
    "unpacked-to-int8",
    "dequantised-to-float",
    "int8",
    "float",
)
PER_CHANNEL = 8  # bytes: a bias and a scale or multiplier, which every kernel keeps for itself
UNSUITED = ("TRANSPOSE_CONV",)  # their input is not their first one

Group = Tuple[str, str, bool]  # operator, type of its weights, whether a delegate takes it


@dataclass(frozen=True)
class Kind:
    """The weights of one kind of operator, all taken by a delegate or all left.

    `ram_bytes` is for each weight; None where nothing executes them.
    """

    operator: str
    dtype: str
    delegated: bool
    operators: int
    weights: int
    ram_bytes: Optional[float]
    executed_as: str

    @property
    def is_storage_only(self) -> bool:
        """Whether they are stored in fewer bits than they are executed in."""
        return self.executed_as in (UNPACKED, DEQUANTISED, STORED)


def examine(path: Path) -> Tuple[List[Dict[str, Any]], Dict[str, Any]]:
    """Measure a file: numbers for the record, and `execution.json`."""
    content = path.read_bytes()
    model, whole = read_model(content), _measured(path)
    groups = _groups(model, set(whole["delegated"]))
    kinds = [_kind(content, model, group, found) for group, found in sorted(groups.items())]
    total = sum(kind.weights for kind in kinds)
    native = sum(kind.weights for kind in kinds if kind.executed_as == NATIVE)
    numbers = [number("ram_bytes", whole["ram_bytes"], "B")]
    numbers += [number("int4_native_share", native / total, "1", total)] if total else []
    return numbers, document(kinds, whole["ram_bytes"], whole["passing_bytes"])


def document(
    kinds: Sequence[Kind], ram_bytes: Optional[int] = None, passing_bytes: Optional[int] = None
) -> Dict[str, Any]:
    """Describe for `execution.json`; without bytes of memory where nothing could be measured."""
    return {
        "schema": "coralline.execution",
        "version": VERSION,
        "ram_bytes": ram_bytes,
        "passing_bytes": passing_bytes,
        "kinds": [{**vars(kind), "storage_only": kind.is_storage_only} for kind in kinds],
    }


def judged(dtype: str, ram_bytes: float) -> str:
    """Say what weights are executed as that take so many bytes of memory each; 0 where they are read from the file."""
    stored = BITS[dtype] / 8
    if dtype == "int4":
        return NATIVE if ram_bytes < 0.75 else UNPACKED if ram_bytes < 2 else DEQUANTISED
    if stored <= 1:
        return INT8 if ram_bytes < 2 else DEQUANTISED
    return FLOAT if ram_bytes < 1.5 * stored else DEQUANTISED


def _groups(model: Model, delegated: set[int]) -> Dict[Group, List[Weights]]:
    found: Dict[Group, List[Weights]] = {}
    for one in weights(model):
        found.setdefault((one.operator, one.tensor.dtype, one.place in delegated), []).append(one)
    return found


def _kind(content: bytes, model: Model, group: Group, found: List[Weights]) -> Kind:
    operator, dtype, taken = group
    count = sum(one.count for one in found)
    if operator in UNSUITED:
        return Kind(operator, dtype, taken, len(found), count, 0.0, UNKNOWN)
    largest = max(found, key=lambda one: (one.count, -one.place))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "single.tflite")
        path.write_bytes(single(content, largest))
        told = _measured(path)
    grown = told["ram_bytes"] + told["passing_bytes"] - _beside(model, largest)
    each = max(0.0, grown / weights_of(largest))
    alike = bool(told["delegated"]) == taken
    return Kind(operator, dtype, taken, len(found), count, each, judged(dtype, each) if alike else UNKNOWN)


def _beside(model: Model, one: Weights) -> int:
    """Bytes that the single operator needs for other things than weights: its input, its output, its channels."""
    (wide, deep), graph = repeats(one), model.main
    operator = graph.operators[one.place]
    entry, end = (graph.tensors[index] for index in (operator.inputs[0], operator.outputs[0]))
    inputs = entry.shape[-1] * (wide if one.operator == DEPTHWISE else deep)
    return inputs * _width(entry) + end.shape[-1] * wide * (_width(end) + PER_CHANNEL)


def _width(tensor: Tensor) -> int:
    return BITS.get(tensor.dtype, 32) // 8


def _measured(path: Path) -> Dict[str, Any]:
    """Measure in a fresh process; its standard output is one JSON object."""
    command = [sys.executable, "-m", resident.__name__, os.fspath(path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    told: Dict[str, Any] = json.loads(done.stdout)
    return told
