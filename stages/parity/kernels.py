"""The kernels of TFLite that should agree on an int8 file, each behind an interpreter with one thread.

XNNPACK is a delegate: it takes the operators that it knows and leaves the others to the built-in kernels. Which ones
it took is read from the interpreter, not assumed.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Dict, List, Sequence, Set

import tensorflow as tf

from stages.contract import InputError

if TYPE_CHECKING:
    from stages.tflite.model import Subgraph

REFERENCE, BUILT_IN, XNNPACK = "reference", "built-in", "xnnpack"
KERNELS = (REFERENCE, BUILT_IN, XNNPACK)
DELEGATE = "DELEGATE"  # the name of a node that stands for what a delegate took

_RESOLVERS = tf.lite.experimental.OpResolverType
RESOLVERS = {
    REFERENCE: _RESOLVERS.BUILTIN_REF,
    BUILT_IN: _RESOLVERS.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    XNNPACK: _RESOLVERS.BUILTIN,  # the built-in kernels with the default delegate, which is XNNPACK
}


def open_file(content: bytes, kernels: str) -> Any:
    """Make an interpreter with its tensors allocated.

    Raises:
        InputError: the interpreter refuses the file.
    """
    try:
        interpreter = tf.lite.Interpreter(
            model_content=content,
            num_threads=1,
            experimental_op_resolver_type=RESOLVERS[kernels],
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise InputError(
            "TFLite's interpreter with %s kernels refuses the file: %s" % (kernels, error), "convert the network again"
        ) from error
    return interpreter


def taken(interpreter: Any, graph: Subgraph) -> Set[int]:
    """Find the operators that a delegate computes: all between the inputs and the outputs of its nodes."""
    nodes: Sequence[Dict[str, Any]] = interpreter._get_ops_details()  # noqa: SLF001 - no public way
    maker = {tensor: place for place, operator in enumerate(graph.operators) for tensor in operator.outputs}
    found: Set[int] = set()
    for node in nodes:
        if node["op_name"] != DELEGATE:
            continue
        entries, waiting = {int(tensor) for tensor in node["inputs"]}, [int(tensor) for tensor in node["outputs"]]
        while waiting:
            place = maker.get(waiting.pop())
            if place is not None and place not in found:
                found.add(place)
                waiting.extend(tensor for tensor in graph.operators[place].inputs if tensor not in entries)
    return found


def facts(kernels: str, interpreter: Any, graph: Subgraph) -> Dict[str, Any]:
    """Say which operators the kernels' delegate computes, and which it leaves to the built-in kernels, by kind."""
    mine = taken(interpreter, graph)
    left: List[str] = [operator.name for place, operator in enumerate(graph.operators) if place not in mine]
    return {
        "runtime": kernels,
        "operators": len(graph.operators),
        "delegated": len(mine),
        "not_delegated": dict(sorted(Counter(left).items())) if mine else {},
    }
