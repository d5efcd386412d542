"""The confusion matrix as a picture: the same bytes for the same counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Sequence

import numpy as np
from matplotlib.figure import Figure

from stages.predictions import LISTED

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DPI = 600
WIDEST = 4000  # pixels
AS_LARGE_AS = 8  # the picture of many classes is as large as that of eight; a cell is then a dot


def draw_confusion(path: Path, counts: NDArray[np.int64], classes: Sequence[str], title: str) -> None:
    """Draw counts and their share of the true class, in Blues; of many classes the shares alone, in one size."""
    is_listed = len(classes) <= LISTED
    edge = 2.2 + 0.9 * (len(classes) if is_listed else AS_LARGE_AS)
    figure = Figure(figsize=(edge + 0.8, edge), layout="constrained")
    axes = figure.add_subplot()
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(shown, ax=axes, label="share of the true class", shrink=0.8)
    if is_listed:
        ticks = np.arange(len(classes))
        axes.set_xticks(ticks, classes, rotation=30, ha="right")
        axes.set_yticks(ticks, classes)
        _label_cells(axes, counts, shares)
    axes.set(xlabel="predicted class", ylabel="true class", title=title)
    # the version would be in the bytes
    figure.savefig(path, dpi=min(DPI, int(WIDEST / (edge + 0.8))), metadata={"Software": None})


def _label_cells(axes: Any, counts: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
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
