"""qat-int8: the weights were trained on with this very file simulated, and its ranges are those of the training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.contract import InputError
from stages.convert.calibration import activations
from stages.convert.int8 import quantise
from stages.convert.network import float_flatbuffer
from stages.convert.source import Converted, Source
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from stages.convert.ranges import Ranges


def convert(source: Source) -> Converted:
    """Convert the weights of the qat stage with its ranges.

    Raises:
        InputError: the training was of another network, so an activation has no range.
    """
    flatbuffer = float_flatbuffer(source.model)
    return Converted(quantise(flatbuffer, _ranges(source, flatbuffer)))


def _ranges(source: Source, flatbuffer: bytes) -> Ranges:
    told, wanted = source.description.get("ranges", []), activations(read_model(flatbuffer))
    if len(told) != len(wanted):
        raise InputError(
            "the training left ranges of %d activations, the network has %d" % (len(told), len(wanted)),
            "train it again: --from qat",
        )
    return {index: (low, high) for index, (low, high) in zip(wanted, told)}
