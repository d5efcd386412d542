"""One diagram as the dataset stage writes it: three channels of eight bits, and its mask, from (seed, split, number).

The channels are the sensor's signal and its two derivatives, along the first and the second gate: lines are edges of
the signal, and which way an edge goes is what tells a dot from the other. Each channel is spread over the values 0 to
255 by its own 1 % and 99 % quantiles, as an operator does who looks at a diagram.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Tuple

import numpy as np

from stages.dataset.stability import charge, device, noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.dataset.stability.device import Device, Floats

SPLITS = {"train": 0, "test": 1}
QUANTILES = (0.01, 0.99)
NONE, LINE = 0, 1
#: Names of the values of a mask, in their order.
ORIGINS = ("none", "line")


def simulate(
    seed: int, split: str, number: int, size: int, noise_scale: float = 1.0
) -> Tuple[NDArray[np.uint8], NDArray[np.uint8], Device]:
    """Return a diagram, [row, column, channel], its mask, [row, column], and the device that it is of."""
    rng = np.random.default_rng([seed, SPLITS[split], number])
    drawn = device.draw(rng, noise_scale)
    measured = signal(drawn, size)
    measured += drawn.white_noise * noise.white(rng, size) + drawn.flicker_noise * noise.flicker(rng, size)
    mask = np.where(charge.line_pixels(drawn, size), LINE, NONE).astype(np.uint8)
    return channels(measured), mask, drawn


def signal(drawn: Device, size: int) -> Floats:
    """Return what the sensor shows without noise, in units of its largest step, at the centres of the pixels."""
    places = charge.centres(size)
    on_first, on_second = charge.mean_electrons(drawn, charge.induced(drawn, places))
    first, second = np.meshgrid(places, places[::-1])
    background = drawn.slope[0] * first + drawn.slope[1] * second
    found: Floats = background - drawn.steps[0] * on_first - drawn.steps[1] * on_second
    return found


def channels(measured: Floats) -> NDArray[np.uint8]:
    """Return the signal and its derivatives along both gates as bytes."""
    upwards, along = np.gradient(measured)
    return np.stack([_spread(measured), _spread(along), _spread(-upwards)], axis=-1)


def _spread(values: Floats) -> NDArray[np.uint8]:
    low, high = np.quantile(values, QUANTILES)
    scaled = (values - low) / max(high - low, np.finfo(np.float64).tiny)
    found: NDArray[np.uint8] = np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)
    return found
