"""TFLite's interpreter as everything here uses it that looks inside a graph: on one thread."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils


def inner_interpreter(content: bytes) -> Any:
    """Make an interpreter with the built-in kernels and no delegate. Tensors are not allocated yet."""
    return tf.lite.Interpreter(
        model_content=content,
        num_threads=1,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )


def telling(content: bytes) -> bytes:
    """Make everything that the graph computes an output of it, so that all of it can be read after a run.

    `experimental_preserve_all_tensors` does not do that: ADD and MUL then still write over the tensor that they read
    where nobody else reads it. Nobody writes over an output, and no delegate hides one.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    graph = model.subgraphs[0]
    made = [int(index) for operator in graph.operators for index in operator.outputs]
    ends = [int(index) for index in graph.outputs]
    graph.outputs = ends + [index for index in made if index not in set(ends)]
    model.signatureDefs = None  # they name the outputs that were
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
