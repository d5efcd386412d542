"""qat-int8: the weights were trained on with this very file simulated, and its ranges are those of the training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.convert.ranged import trained_int8
from stages.convert.source import Converted

if TYPE_CHECKING:
    from stages.convert.source import Source


def convert(source: Source) -> Converted:
    """Convert the weights of the qat stage with its ranges."""
    return Converted(trained_int8(source))
