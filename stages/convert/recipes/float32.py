"""float32: no quantisation."""

from __future__ import annotations

from stages.convert.network import float_flatbuffer
from stages.convert.source import Converted, Source


def convert(source: Source) -> Converted:
    """Convert as it is."""
    return Converted(float_flatbuffer(source.model))
