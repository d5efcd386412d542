"""float16: weights stored in half precision; kernels without it compute in float32."""

from __future__ import annotations

import tensorflow as tf

from stages.convert.network import converter
from stages.convert.source import Converted, Source


def convert(source: Source) -> Converted:
    """Convert with weights rounded to float16."""
    made = converter(source.model)
    made.optimizations = [tf.lite.Optimize.DEFAULT]
    made.target_spec.supported_types = [tf.float16]
    return Converted(bytes(made.convert()))
