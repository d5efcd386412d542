"""TFLite's interpreter as everything here uses it that looks inside a graph: one thread, and no delegate."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def inner_interpreter(content: bytes, *, keep_all: bool = False) -> Any:
    """Make an interpreter with the built-in kernels: a delegate would hide inner tensors.

    With `keep_all` every tensor can be read after a run. Tensors are not allocated yet.
    """
    return tf.lite.Interpreter(
        model_content=content,
        num_threads=1,
        experimental_preserve_all_tensors=keep_all,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
