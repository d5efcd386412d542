"""mixed: the full-int8 file with only those 1x1 convolutions at four bits that bear it, by the sensitivity table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.convert import planned

if TYPE_CHECKING:
    from stages.convert.source import Converted, Source

RUNTIME = "litert-cpu"  # tflite-runtime refuses dense layers of four bits


def convert(source: Source) -> Converted:
    """Go on from the file of ptq-int8."""
    return planned.convert(source)
