"""The confusion matrix as a picture: the same bytes for the same counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DPI = 600


def draw_confusion(path: Path, counts: NDArray[np.int64], classes: Sequence[str], title: str) -> None:
    """Draw counts and their share of the true class, in Blues."""
    edge = 2.2 + 0.9 * len(classes)
    figure = Figure(figsize=(edge + 0.8, edge), layout="constrained")
    axes = figure.add_subplot()
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(shown, ax=axes, label="share of the true class", shrink=0.8)
    ticks = np.arange(len(classes))
    axes.set_xticks(ticks, classes, rotation=30, ha="right")
    axes.set_yticks(ticks, classes)
    axes.set(xlabel="predicted class", ylabel="true class", title=title)
    for (row, column), share in np.ndenumerate(shares):
        axes.text(
            column,
            row,
            "%d\n%.3f" % (counts[row, column], share),
            ha="center",
            va="center",
            color="white" if share > 0.5 else "black",
            fontsize=8,
        )
    figure.savefig(path, dpi=DPI, metadata={"Software": None})  # the version would be in the bytes
