"""Draws sample images of each class: one channel in a colour scale, and all three as colours.

The scale is the square root of the value, so that faint tracks are seen beside bright ones; the files hold values as
they are shown, not as they were measured.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, List, Optional, Tuple

import matplotlib as mpl
import numpy as np
from PIL import Image

from stages.images import ImageSet

if TYPE_CHECKING:
    from stages.contract import Step
    from stages.report.gather import Artifact
    from stages.report.masks import Answers

CHANNEL = 2  # view w, the collection view, of neutrino events
LARGEST = 224  # pixels; larger images are shown smaller
MOST_CLASSES = 12


@dataclass(frozen=True)
class Sample:
    """One image of the test split, as two PNG files, or three."""

    name: str
    path: str
    channel: bytes
    colours: bytes
    answer: Optional[bytes] = None  # what was sought and found, where pixels are

    @property
    def channel_uri(self) -> str:
        """The channel for a page that may load nothing."""
        return _uri(self.channel)

    @property
    def answer_uri(self) -> str:
        """What was sought and found for a page that may load nothing; empty where no pixels are."""
        return "" if self.answer is None else _uri(self.answer)

    @property
    def colours_uri(self) -> str:
        """The colours for a page that may load nothing."""
        return _uri(self.colours)


def draw(
    step: Step, dataset: Artifact, count: int, answers: Optional[Answers] = None
) -> List[Tuple[str, List[Sample]]]:
    """Draw `count` evenly spaced test images of each class, of the first `MOST_CLASSES`; data may be no images."""
    if not (dataset.folder / "images.csv").is_file():
        return []
    images = ImageSet.read(step)
    edge = min(LARGEST, max(dataset.read_json("dataset.json")["size"] or [LARGEST]))  # photographs have no one size
    rows = images.rows("test")
    drawn = []
    for label, name in enumerate(images.classes[:MOST_CLASSES]):
        of_class = [(at, row) for at, row in enumerate(rows) if row.label == label]
        wanted = min(count, len(of_class))
        chosen = [of_class[place * len(of_class) // wanted] for place in range(wanted)]
        samples = [
            Sample(
                "sample-%d-%d" % (label, place),
                row.path,
                *_pictures(images.load(row, edge)),
                None if answers is None else _png(answers.picture(at, row)),
            )
            for place, (at, row) in enumerate(chosen)
        ]
        drawn.append((name, samples))
    return drawn


def _pictures(pixels: Any) -> Tuple[bytes, bytes]:
    bright = np.sqrt(pixels / 255.0)
    scale = mpl.colormaps["inferno"]
    return _png(scale(bright[:, :, CHANNEL])[:, :, :3]), _png(bright)


def _png(values: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.round(values * 255).astype(np.uint8)).save(file, "PNG", optimize=True)
    return file.getvalue()


def _uri(png: bytes) -> str:
    return "data:image/png;base64,%s" % base64.b64encode(png).decode("ascii")
