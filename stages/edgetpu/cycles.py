"""How much the array works on one operator: pieces of work, counted from shapes.

The array takes pieces of 4 columns, 4 input channels and 16 output channels; what does not fill a piece is wasted.
What a piece costs depends on its kind only: latency.json.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Tuple

if TYPE_CHECKING:
    from stages.edgetpu.site import Site

COLUMNS, INPUTS, OUTPUTS = 4, 4, 16
# Another view of the same bytes, or written by the operators beside them into the right place at once: with a cost for
# CONCATENATION, published latencies of networks that are full of it come out a third too high.
FREE = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "PAD", "CONCATENATION", "QUANTIZE")
REDUCING = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "AVERAGE_POOL_2D", "MAX_POOL_2D")


def kind(site: Site) -> str:
    """Name the coefficient that counts for an operator: pointwise, spatial, depthwise or elementwise."""
    weights = site.input(1)
    if site.name == "DEPTHWISE_CONV_2D":
        return "depthwise"
    if site.name in ("CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV") and weights is not None:
        return "spatial" if _taps(weights.shape) > 1 else "pointwise"
    return "elementwise"


def units(site: Site) -> int:
    """Count the pieces that an operator is cut into."""
    if site.name in FREE or not site.outputs:
        return 0
    weights, what = site.input(1), kind(site)
    source = site.input(2 if site.name == "TRANSPOSE_CONV" else 0)
    if what == "elementwise" or weights is None:
        shape = source.shape if site.name in REDUCING and source is not None else site.outputs[0].shape
        return _positions(shape) * _pieces(shape[-1] if shape else 1, OUTPUTS)
    shape = source.shape if site.name == "TRANSPOSE_CONV" and source is not None else site.outputs[0].shape
    taps = _taps(weights.shape)
    if what == "depthwise":
        return _positions(shape) * taps * _pieces(weights.shape[-1], OUTPUTS)
    return _positions(shape) * _pieces(taps * weights.shape[-1], INPUTS) * _pieces(weights.shape[0], OUTPUTS)


def _positions(shape: Tuple[int, ...]) -> int:
    height, width = ((1, 1, *shape))[-3:-1] if len(shape) > 1 else (1, 1)
    return max(height, 0) * _pieces(width, COLUMNS)


def _taps(shape: Tuple[int, ...]) -> int:
    taps = 1
    for size in shape[1:-1]:
        taps *= max(size, 0)
    return taps


def _pieces(number: int, size: int) -> int:
    return -(-max(number, 0) // size)
