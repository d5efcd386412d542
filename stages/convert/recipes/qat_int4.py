"""qat-int4: the weights of 1x1 convolutions were trained on steps of four bits, on which they are packed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.convert.narrow import BITS, on_steps, packed
from stages.convert.ranged import trained_int8
from stages.convert.source import Converted

if TYPE_CHECKING:
    from stages.convert.source import Source

RUNTIME = "litert-cpu"  # tflite-runtime refuses dense layers of four bits


def convert(source: Source) -> Converted:
    """Convert the weights of the qat stage with its ranges, and say them in four bits."""
    return Converted(packed(on_steps(trained_int8(source), BITS)))
