"""ptq-int8: full int8 after training, with structure, ranges and biases chosen on held-out images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.convert import tuned

if TYPE_CHECKING:
    from stages.convert.source import Converted, Source


def convert(source: Source) -> Converted:
    """Convert the float training's weights."""
    return tuned.convert(source)
