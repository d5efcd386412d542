"""Figures of an evolution as SVG: the same bytes for the same numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from stages.drawing import COLOURS, STYLE, as_svg

if TYPE_CHECKING:
    from pathlib import Path

    from stages.waveforms import Waveforms


def draw_history(path: Path, history: Sequence[Dict[str, float]]) -> None:
    """Share of right answers against evaluations: the sample's best, the validation part's, and its best so far."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.add_subplot()
        counts = [entry["evaluations"] for entry in history]
        for name, colour, label in (
            ("sample_best", COLOURS[6], "best of a generation, on its sample"),
            ("validation", COLOURS[0], "the same network, on the validation part"),
            ("validation_best", COLOURS[1], "best so far, on the validation part"),
        ):
            axes.plot(counts, [entry[name] for entry in history], color=colour, linewidth=1.2, label=label)
        axes.set_xlabel("networks evaluated")
        axes.set_ylabel("right answers")
        axes.grid(visible=True)
        axes.legend()
        _save(figure, path)


def draw_scan(path: Path, data: Waveforms, edges: Sequence[float], found: Sequence[float], size: Sequence[int]) -> None:
    """Share of the second class that is found against the scanned quantity, with binomial errors."""
    middles: List[float] = [(low + high) / 2 for low, high in zip(edges, edges[1:])]
    errors = [(share * (1 - share) / max(1, count)) ** 0.5 for share, count in zip(found, size)]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.2), layout="constrained")
        axes = figure.add_subplot()
        axes.errorbar(middles, found, errors, color=COLOURS[0], fmt="o-", linewidth=1.2, markersize=4)
        axes.set_xlabel("%s, %s" % (data.scan.quantity, data.scan.unit))
        axes.set_ylabel("%s found" % data.classes[1])
        axes.set_ylim(0, 1)
        axes.grid(visible=True)
        _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(as_svg(figure, path.stem), encoding="utf-8")
