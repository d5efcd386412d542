"""Draws the figures of a report as SVG: the same bytes for the same numbers, in a page as in a file of their own.

Ink and grid are drawn in two fixed colours, which a page may replace by its own (`inline`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from stages.drawing import COLOURS, GRID, INK, MARKERS, STYLE, as_svg
from stages.report.gather import LITERT, recipe_order
from stages.report.metric import first_of, first_title
from stages.report.metric import title as titled

if TYPE_CHECKING:
    from stages.report.gather import Artifact, Gathered

HELD_OUT = "val_"  # begins the columns of a history that are of the validation images
MOST_LABELLED = 12  # classes of a confusion matrix whose cells still hold their counts


@dataclass(frozen=True)
class Drawing:
    """A figure: `name` is that of its file, `caption` says what it shows."""

    name: str
    title: str
    caption: str
    svg: str

    @property
    def inline(self) -> str:
        """The figure for a page: colours of the page, ids of its own, as wide as it may be."""
        body = self.svg[self.svg.index("<svg") :]
        body = body.replace(INK, "currentColor").replace(GRID, "var(--line)")
        body = re.sub(r'\b(id="|href="#|url\(#)', r"\g<1>%s-" % self.name, body)
        body = re.sub(r'<svg [^>]*viewBox="([^"]*)"[^>]*>', _opening(self), body, count=1)
        return re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)


def _opening(drawing: Drawing) -> str:
    label = re.sub(r'[&<>"\\]', " ", drawing.caption)
    return r'<svg viewBox="\1" role="img" aria-label="%s" xmlns:xlink="http://www.w3.org/1999/xlink">' % label


def curves(training: Artifact) -> List[Drawing]:
    """Loss and accuracy by epoch; nothing when nothing was trained."""
    history = training.read_csv("history.csv")
    if not history:
        return []
    model = training.axis("model") or ""
    name = model if training.stage == "train" else "%s %s" % (model, training.axis("recipe"))
    best = training.number("best_epoch")
    watched = [column[len(HELD_OUT) :] for column in history[0] if column.startswith(HELD_OUT)]
    panels = [(what, what, HELD_OUT + what) for what in watched]
    return [
        Drawing(
            "curves-%s-%s" % (name.replace(" ", "-"), what),
            name,
            "%s of %s by epoch, in training and on the validation images"
            % (titled(what)[:1].upper() + titled(what)[1:], name),
            _curve(history, what, (own, held_out), int(best["value"]) if best else None),
        )
        for what, own, held_out in panels
    ]


def _curve(history: Sequence[Dict[str, str]], what: str, columns: Tuple[str, str], best: Optional[int]) -> str:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.4, 2.9), layout="constrained")
        axes = figure.add_subplot()
        epochs = [int(row["epoch"]) for row in history]
        for column, title, colour in zip(columns, ("training", "validation"), COLOURS):
            values = [float(row[column]) for row in history]
            axes.plot(epochs, values, "o-", color=colour, label=title, markersize=4 if len(epochs) < 40 else 0)
        if best is not None and best in epochs:
            axes.axvline(best, color=INK, linewidth=0.8, linestyle=":", label="best epoch")
        axes.set(xlabel="epoch", ylabel=titled(what))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(visible=True)
        axes.legend()
        return as_svg(figure, what)


def confusion(benchmark: Artifact) -> Drawing:
    """Draw counts of the test images by true and predicted class, shaded by the share of the true class."""
    told = benchmark.read_json("accuracy.json")
    where = [benchmark.axis(name) or "" for name in ("model", "recipe", "runtime")]
    return Drawing(
        "confusion-%s" % "-".join(where),
        "%s, %s, %s" % tuple(where),
        "Confusion matrix of %s, %s on %s: %d test images" % (*where, told["images"]),
        _matrix(np.asarray(told["confusion_matrix"]), told["classes"]),
    )


def confusions(gathered: Gathered) -> List[Drawing]:
    """Draw them all but those of one file on other kernels, which would say the same twice, and those of pixels."""
    drawn = [one for one in gathered.of("benchmark") if not _is_second(gathered, one)]
    return [confusion(one) for one in drawn if "confusion_matrix" in one.read_json("accuracy.json")]


def _is_second(gathered: Gathered, benchmark: Artifact) -> bool:
    """Whether it is of a file that other kernels stand for."""
    model, recipe = benchmark.axis("model") or "", benchmark.axis("recipe") or ""
    return benchmark.axis("runtime") == LITERT and gathered.cpu(model, recipe) != LITERT


def _matrix(counts: Any, classes: Sequence[str]) -> str:
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    edge = max(2.6, min(7.0, 0.75 * len(classes) + 1.1))
    with mpl.rc_context({**STYLE, "axes.spines.left": False, "axes.spines.bottom": False}):
        figure = Figure(figsize=(edge + 0.3, edge), layout="constrained")
        axes = figure.add_subplot()
        axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors=GRID, linewidth=0.5)
        axes.invert_yaxis()
        axes.set_aspect("equal")
        places = np.arange(len(classes)) + 0.5
        axes.set_xticks(
            places, classes, rotation=30 if len(classes) < 8 else 90, ha="right" if len(classes) < 8 else "center"
        )
        axes.set_yticks(places, classes)
        axes.tick_params(length=0)
        axes.set(xlabel="predicted class", ylabel="true class")
        if len(classes) <= MOST_LABELLED:
            _label_cells(axes, counts, shares)
        return as_svg(figure, "confusion")


def _label_cells(axes: Any, counts: Any, shares: Any) -> None:
    for (row, column), share in np.ndenumerate(shares):
        axes.text(
            column + 0.5,
            row + 0.5,
            "%d\n%.3f" % (counts[row, column], share),
            ha="center",
            va="center",
            color="white" if share > 0.5 else "black",
            fontsize=9,
        )


def accuracy_and_size(gathered: Gathered) -> Optional[Drawing]:
    """Balanced accuracy against file size, a line for each model and a marker for each recipe."""
    points = [point for one in gathered.of("benchmark") for point in _point(gathered, one)]
    if not points:
        return None
    first = first_title(gathered)
    caption = "%s on the test images, with its 95 %% interval, against the size of the file"
    return Drawing(
        "accuracy-and-size", "Accuracy and size", caption % (first[0].upper() + first[1:]), _scatter(points, first)
    )


def _point(gathered: Gathered, benchmark: Artifact) -> List[Tuple[str, str, float, Dict[str, Any]]]:
    """Return model, recipe, size in MB and accuracy of a benchmark on the CPU whose file has a size."""
    model, recipe = benchmark.axis("model") or "", benchmark.axis("recipe") or ""
    converted = gathered.find("convert", model=model, recipe=recipe)
    size = converted.number("size_bytes") if converted else None
    right = benchmark.number(first_of(model))
    if size is None or right is None or benchmark.axis("runtime") != gathered.cpu(model, recipe):
        return []
    return [(model, recipe, size["value"] / 1e6, right)]


def _scatter(points: Sequence[Tuple[str, str, float, Dict[str, Any]]], first: str) -> str:
    models, recipes = sorted({point[0] for point in points}), sorted({point[1] for point in points}, key=recipe_order)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        axes = figure.add_subplot()
        for model, recipe, size, right in points:
            low, high = right["interval"] or (right["value"], right["value"])
            axes.errorbar(
                size,
                right["value"],
                yerr=[[right["value"] - low], [high - right["value"]]],
                fmt=MARKERS[recipes.index(recipe) % len(MARKERS)],
                color=COLOURS[models.index(model) % len(COLOURS)],
                capsize=3,
                linewidth=1,
            )
        for number, model in enumerate(models):
            axes.plot([], [], "-", color=COLOURS[number % len(COLOURS)], label=model)
        for number, recipe in enumerate(recipes):
            axes.plot([], [], MARKERS[number % len(MARKERS)], color=INK, label=recipe)
        axes.set_xscale("log")
        axes.set(xlabel="size of the file, MB", ylabel=first)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid(visible=True)
        figure.legend(loc="outside right upper")
        return as_svg(figure, "scatter")
