"""int2: the weights of 1x1 convolutions were trained on two bits and are stored so, in a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorflow.lite.tools import flatbuffer_utils

from stages.container.network import packed
from stages.convert.compact import write
from stages.convert.narrow import narrowable, on_steps
from stages.convert.ranged import trained_int8
from stages.convert.source import Converted
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from stages.convert.source import Source

BITS = 2
RUNTIME = "unpacked-cpu"  # none executes a container


def convert(source: Source) -> Converted:
    """Convert the weights of the qat stage with its ranges, and say them in two bits."""
    on_two = on_steps(trained_int8(source), BITS)
    content = write(flatbuffer_utils.convert_bytearray_to_object(bytearray(on_two)))
    container = packed(content, dict.fromkeys(narrowable(read_model(content)), BITS))
    return Converted(content, container=container)
