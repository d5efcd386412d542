"""Draws what a network found in an image, and what was to be found: hits, misses and false alarms in three colours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Optional, Tuple

import numpy as np

from stages.masks import Masks
from stages.report.segmentation import segmenting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.contract import Step
    from stages.images import Row
    from stages.report.gather import Artifact, Gathered

PREFERRED = ("ptq-int8", "float32", "float32-keras")  # whose answers are shown: of the first that there is
HIT, MISS, FALSE = (0.34, 0.71, 0.91), (0.84, 0.37, 0.0), (0.94, 0.89, 0.26)  # Okabe and Ito: blue, vermilion, yellow


class Answers:
    """The masks of the test split and what one benchmark found."""

    def __init__(self, step: Step, benchmark: Artifact) -> None:
        self.label = benchmark.label
        self._masks = Masks.read(step)
        told = benchmark.read_json("accuracy.json")
        self._size = math.isqrt(sum(told["pixels"].values()) // told["images"])
        self._bits = np.load(benchmark.folder / "masks.npy", allow_pickle=False)

    def picture(self, place: int, row: Row) -> NDArray[np.float64]:
        """Draw the image at `place` of the test split, [row, column, colour]."""
        found = np.unpackbits(self._bits[place], count=self._size**2).reshape(self._size, self._size) > 0
        sought = self._masks.load(row, self._size)
        drawn: NDArray[np.float64] = np.zeros((self._size, self._size, 3))
        for where, colour in ((sought & found, HIT), (sought & ~found, MISS), (found & ~sought, FALSE)):
            drawn[where] = colour
        return drawn


def answers(step: Step, gathered: Gathered) -> Optional[Answers]:
    """Choose the benchmark whose answers are shown; None where no network finds pixels."""
    found = sorted(segmenting(gathered), key=_preference)
    return Answers(step, found[0]) if found else None


def _preference(artifact: Artifact) -> Tuple[int, Any]:
    recipe = artifact.axis("recipe") or ""
    return PREFERRED.index(recipe) if recipe in PREFERRED else len(PREFERRED), artifact.label
