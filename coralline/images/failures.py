"""Which images could not be had lately: nobody asks a vendor who did not answer again before an hour has passed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from coralline.images import built

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VALID_S = 3_600.0


class Failures:
    """What is recorded of failed builds, one file for each image, valid for one recipe.

    Who was told of one once is told so until that image is built: a step that a run plans as blocked must not be
    tried, and fail, when trainings have taken longer than the hour.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._told: set[Path] = set()

    def remember(self, path: Path, recipe_digest: str, reason: str) -> None:
        """Record why the image was not built, in the file at `path`."""
        built.save(path, {"recipe_digest": recipe_digest, "reason": reason, "time": self._clock()})

    def reason(self, path: Path, recipe_digest: str) -> str | None:
        """Return why the image cannot be had, as far as is known."""
        failed = built.load(path, recipe_digest)
        if failed is None:
            return None
        if 0 <= self._clock() - float(failed["time"]) < VALID_S:
            self._told.add(path)
        return str(failed["reason"]) if path in self._told else None
