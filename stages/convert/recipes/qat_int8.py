"""qat-int8: the weights were trained on with int8 simulated; the way to the file is that of ptq-int8.

TFMOT's own conversion of such a network leaves islands of float and unfolded BatchNorm. Taking only its weights leaves
neither, and makes both files comparable operator by operator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.convert import tuned

if TYPE_CHECKING:
    from stages.convert.source import Converted, Source


def convert(source: Source) -> Converted:
    """Convert the weights of the qat stage."""
    return tuned.convert(source)
