"""ptq-int4: the full-int8 file with the weights of its 1x1 convolutions at four bits, rounded on calibration images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.convert import narrowed

if TYPE_CHECKING:
    from stages.convert.source import Converted, Source

RUNTIME = "litert-cpu"  # tflite-runtime refuses dense layers of four bits


def convert(source: Source) -> Converted:
    """Go on from the file of ptq-int8."""
    return narrowed.convert(source)
