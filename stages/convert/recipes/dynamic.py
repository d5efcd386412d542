"""dynamic: 8-bit weights; activations stay float in the file and are quantised while it runs."""

from __future__ import annotations

import tensorflow as tf

from stages.convert.network import converter
from stages.convert.source import Converted, Source


def convert(source: Source) -> Converted:
    """Convert with weights quantised."""
    made = converter(source.model)
    made.optimizations = [tf.lite.Optimize.DEFAULT]
    return Converted(bytes(made.convert()))
