"""How every figure of ours looks, and how it becomes SVG: the same bytes for the same numbers. Needs Matplotlib."""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib as mpl

INK = "#22313a"
GRID = "#c3ced3"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")  # Okabe and Ito, for all eyes
MARKERS = "osD^vPX*"
FONT = "system-ui, sans-serif"

STYLE = {
    "svg.fonttype": "none",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "axes.axisbelow": True,
    "text.parse_math": False,  # a class may be called `$x`
}


def as_svg(figure: Any, salt: str) -> str:
    """Write the figure without date, version or random ids."""
    file = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "coralline-%s" % salt}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return re.sub(r'(<text style="[^"]*font: [\d.]+px )[^;"]*', r"\g<1>" + FONT, file.getvalue())
