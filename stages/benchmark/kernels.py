"""Says which kernels compute a file, as its interpreter tells: a number without them cannot be compared.

tflite-runtime and LiteRT apply one delegate by themselves, XNNPACK, and run what it leaves in kernels of their own. In
tflite-runtime 2.14.0 it leaves every 8-bit operator, in LiteRT few: the same file takes several times as long in one.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, Sequence, Set

import numpy as np

DELEGATE = "DELEGATE"  # the name of a node that stands for what a delegate took
BUILT_IN, XNNPACK = "built-in", "XNNPACK"
BYTES = (np.int8, np.uint8)

Node = Dict[str, Any]


def kernels(interpreter: Any) -> Dict[str, Any]:
    """Count the operators that XNNPACK computes, and those of 8 bits among them, in an interpreter with its tensors."""
    nodes: Sequence[Node] = interpreter._get_ops_details()  # noqa: SLF001 - no public way
    parts = [node for node in nodes if node["op_name"] == DELEGATE]
    operators = [node for node in nodes if node["op_name"] != DELEGATE]
    mine = taken(operators, parts)
    small = {tensor["index"] for tensor in interpreter.get_tensor_details() if tensor["dtype"] in BYTES}
    eight_bit = {place for place, node in enumerate(operators) if node["outputs"][0] in small}
    left = Counter(node["op_name"] for place, node in enumerate(operators) if place not in mine)
    return {
        "kernels": BUILT_IN if not mine else "%s and %s" % (XNNPACK, BUILT_IN) if left else XNNPACK,
        "operators": len(operators),
        "delegated_operators": len(mine),
        "delegated_parts": len(parts),
        "int8_operators": len(eight_bit),
        "delegated_int8_operators": len(eight_bit & mine),
        "built_in_operators": dict(sorted(left.items())),
    }


def taken(operators: Sequence[Node], parts: Sequence[Node]) -> Set[int]:
    """Find the operators that a delegate computes: all between the inputs and the outputs of its nodes."""
    maker = {int(tensor): place for place, node in enumerate(operators) for tensor in node["outputs"]}
    found: Set[int] = set()
    for part in parts:
        entries, waiting = {int(tensor) for tensor in part["inputs"]}, [int(tensor) for tensor in part["outputs"]]
        while waiting:
            place = maker.get(waiting.pop())
            if place is not None and place not in found:
                found.add(place)
                waiting.extend(int(tensor) for tensor in operators[place]["inputs"] if tensor not in entries)
    return found
