"""Measures how much of an image carries signal, so that a person sees how far two data sets differ.

A sample is enough: at most `SAMPLE` training images of each class, evenly spaced in the order of `images.csv`. Of more
than `MOST_CLASSES` classes, and of photographs, which are full everywhere, nothing is measured.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Dict, List, Sequence, Tuple

import numpy as np
from PIL import Image

from stages.contract import number
from stages.photographs import is_photograph

if TYPE_CHECKING:
    from pathlib import Path

    from stages.dataset.index import Entry

SAMPLE = 200
MOST_CLASSES = 30
QUANTILES = (5, 25, 50, 75, 95)
NORMAL_95 = 1.959964  # two-sided 95 % quantile of the normal distribution


def measure(
    root: Path, entries: Sequence[Entry], classes: Sequence[str], channels: Sequence[str]
) -> Tuple[List[Dict[str, Any]], Dict[str, Any]]:
    """Return mean non-zero pixels as a number for each class; means by channel and value quantiles as facts."""
    numbers: List[Dict[str, Any]] = []
    facts: Dict[str, Any] = {}
    if len(classes) > MOST_CLASSES or any(is_photograph(entry.path) for entry in entries):
        return numbers, facts
    for name in classes:
        chosen = sample([entry for entry in sorted(entries) if (entry.split, entry.name) == ("train", name)])
        occupied, values = _count(root, chosen)
        numbers.append(_mean("occupied_pixels_%s" % name, occupied.mean(axis=1)))
        facts[name] = {
            "images": len(chosen),
            "occupied_pixels": {channel: float(mean) for channel, mean in zip(channels, occupied.mean(axis=0))},
            "value_quantiles": quantiles(values),
        }
    return numbers, facts


def sample(entries: Sequence[Entry]) -> List[Entry]:
    """Take at most `SAMPLE` entries, evenly spaced."""
    wanted = min(SAMPLE, len(entries))
    return [entries[position * len(entries) // wanted] for position in range(wanted)]


def quantiles(values: Any) -> Dict[str, int]:
    """Quantiles of the non-zero values from how often each of 0..255 occurs; empty when all are zero."""
    below = np.cumsum(np.concatenate(([0], values[1:])))
    if not below[-1]:
        return {}
    return {str(percent): int(np.searchsorted(below, below[-1] * percent / 100)) for percent in QUANTILES}


def _count(root: Path, entries: Sequence[Entry]) -> Tuple[Any, Any]:
    """Non-zero pixels by image and channel, and how often each value occurs."""
    occupied = np.zeros((len(entries), 3))
    values = np.zeros(256, dtype=np.int64)
    for row, entry in enumerate(entries):
        with Image.open(root / entry.path, formats=("PNG",)) as image:
            pixels = np.asarray(image)
        occupied[row] = np.count_nonzero(pixels, axis=(0, 1))
        values += np.bincount(pixels.ravel(), minlength=256)
    return occupied, values


def _mean(metric: str, values: Any) -> Dict[str, Any]:
    """Return the mean with its 95 % interval by the central limit theorem."""
    mean, n = float(values.mean()), len(values)
    if n < 2:
        return number(metric, mean, "px", n)
    half = NORMAL_95 * float(values.std(ddof=1)) / math.sqrt(n)
    return number(metric, mean, "px", n, (mean - half, mean + half))
