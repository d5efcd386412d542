"""Noise of a charge sensor that scans a diagram line by line: white, and 1/f, whose power falls with frequency."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def white(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Return independent noise of standard deviation 1, [row, column]."""
    return rng.standard_normal((size, size))


def flicker(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Return 1/f noise of mean 0 and standard deviation 1, [row, column], in the order in which pixels are measured.

    That is row by row from the lowest voltage of the second gate, so from the last row upwards: slow noise makes
    stripes along the rows.
    """
    count = size * size
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum[0] = 0.0
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    values = np.fft.irfft(spectrum, count)
    found: NDArray[np.float64] = (values / values.std()).reshape(size, size)[::-1]
    return found
