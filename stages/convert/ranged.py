"""Full int8 of weights that were trained on with this very file simulated, with the ranges of the training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Tuple

from stages.contract import InputError
from stages.convert.calibration import makers
from stages.convert.int8 import quantise
from stages.convert.network import float_flatbuffer
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from stages.convert.ranges import Ranges
    from stages.convert.source import Source

LARGEST = 3e38  # float32 ends there; no comparison holds for NaN


def trained_int8(source: Source) -> bytes:
    """Convert the weights of the qat stage with its ranges.

    Raises:
        InputError: the ranges are damaged, or of another network.
    """
    flatbuffer = float_flatbuffer(source.model)
    return quantise(flatbuffer, _ranges(source.description.get("ranges"), flatbuffer))


def _ranges(told: Any, flatbuffer: bytes) -> Ranges:
    """Give each activation its range.

    Raises:
        InputError: they are damaged, or of another network.
    """
    wanted = makers(read_model(flatbuffer))
    if not isinstance(told, list) or len(told) != len(wanted):
        raise _wrong("%d activations have a range, the network has %d" % (_length(told), len(wanted)))
    return {index: _range(one, maker) for (index, maker), one in zip(wanted, told)}


def _range(one: Any, maker: str) -> Tuple[float, float]:
    if not isinstance(one, dict) or one.get("operator") != maker:
        raise _wrong("a range of %s was expected, found %.60r" % (maker or "the image", one))
    low, high = _end(one.get("low"), maker), _end(one.get("high"), maker)
    if not low <= high:
        raise _wrong("a range of %s is empty: %r to %r" % (maker, low, high))
    return low, high


def _end(told: Any, maker: str) -> float:
    if isinstance(told, bool) or not isinstance(told, (int, float)) or not abs(told) <= LARGEST:
        raise _wrong("a range of %s ends at %.60r" % (maker, told))
    return float(told)


def _length(told: Any) -> int:
    return len(told) if isinstance(told, list) else 0


def _wrong(reason: str) -> InputError:
    return InputError("model.json of the qat stage is damaged: %s" % reason, "train it again: --from qat")
