"""Draws the paper's figures 2 and 3 with its values beside ours, and the Pareto plot: same bytes for same numbers.

The paper's values are hollow and dashed, ours filled and solid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Sequence, Tuple

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from stages.drawing import COLOURS, INK, MARKERS, STYLE, as_svg
from stages.report import pareto
from stages.report.figures import Drawing
from stages.report.gather import recipe_order
from stages.report.hosts import hosts
from stages.report.table import numbered

if TYPE_CHECKING:
    from stages.paper.compare import Replay
    from stages.paper.verdicts import Comparison
    from stages.report.hosts import Host
    from stages.report.pareto import Candidate

PIPELINES = {"PTQ": ("TF", "PTQ", "Edge TPU PTQ"), "QAT": ("TF", "TF QAT", "QAT quantised", "Edge TPU QAT")}
WAYS = {"paper": "made in the paper's way", "ours": "made in our way"}
KINDS = {"CPU": "o", "GPU": "s", "Edge TPU": "D"}
PAPER = {"linestyle": "--", "markerfacecolor": "none", "alpha": 0.75}


def pipelines(replay: Replay, compared: Sequence[Comparison]) -> List[Drawing]:
    """Figure 2: balanced accuracy along each pipeline, one line for each model, the paper's dashed."""
    caption = "Balanced accuracy along the %s pipeline: ours with 95 %% interval (solid), the paper's (dashed)"
    return [
        Drawing(
            "figure-2-%s" % name.lower(), "Figure 2: %s" % name, caption % name, _pipeline(replay, compared, columns)
        )
        for name, columns in PIPELINES.items()
    ]


def _pipeline(replay: Replay, compared: Sequence[Comparison], columns: Sequence[str]) -> str:
    models = replay.gathered.models
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.9), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axes, (way, title) in zip(panels, WAYS.items()):
            for model, colour in zip(models, _colours(models)):
                chosen = [one for one in compared if one.spot.model == model and one.spot.way in (way, "both")]
                _lines(axes, chosen, columns, colour)
            axes.set_xticks(range(len(columns)), [name.replace(" ", "\n") for name in columns])
            axes.set(title=title, xlim=(-0.3, len(columns) - 0.7))
            axes.grid(visible=True, axis="y")
        panels[0].set_ylabel("balanced accuracy, %")
        _legend(figure, panels[0], [(replay.published.title(model), colour) for model, colour in _named(models)])
        return as_svg(figure, "pipeline")


def _lines(axes: Any, chosen: Sequence[Comparison], columns: Sequence[str], colour: str) -> None:
    """Draw the paper's line and ours; a column without a value breaks the line."""
    by_column = {one.spot.column: one for one in chosen}
    theirs = [by_column[name].published for name in columns]
    ours = [by_column[name].ours for name in columns]
    axes.plot(range(len(columns)), [one.value if one else None for one in theirs], "o", color=colour, **PAPER)
    axes.plot(range(len(columns)), [one.value if one else None for one in ours], "o-", color=colour, markersize=5)
    for place, one in enumerate(ours):
        if one is not None and one.low is not None and one.high is not None:
            axes.plot([place, place], [one.low, one.high], color=colour, linewidth=1.4, marker="_", markersize=6)


def energy_and_latency(replay: Replay, latency: Sequence[Comparison], energy: Sequence[Comparison]) -> List[Drawing]:
    """Figure 3: the energy proxy against latency, by processor; one for each machine that measured."""
    caption = "Energy proxy (TDP times mean latency) against latency by processor: the paper's hollow%s"
    cells, machines = list(zip(latency, energy)), hosts(one.ours.artifact for one in latency if one.ours)
    told: List[Tuple[str, Optional[Host]]] = [(", ours filled, on %s" % host.label, host) for host in machines]
    return [
        Drawing(numbered("figure-3", place), "Figure 3", caption % ours, _energy_and_latency(replay, cells, host))
        for place, (ours, host) in enumerate(told or [("", None)])
    ]


def _energy_and_latency(replay: Replay, cells: Sequence[Tuple[Comparison, Comparison]], host: Optional[Host]) -> str:
    models = replay.gathered.models
    colours = dict(zip(models, _colours(models)))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.add_subplot()
        for time, energy in cells:
            marker = next(sign for kind, sign in KINDS.items() if time.spot.column.startswith(kind))
            style = {"marker": marker, "color": colours[time.spot.model], "linestyle": "none"}
            if time.published and energy.published:
                axes.plot(time.published.value, energy.published.value, markerfacecolor="none", **style)
            if time.ours and energy.ours and host and host.measured(time.ours.artifact):
                axes.plot(time.ours.value, energy.ours.value, **style)
        axes.set(xscale="log", yscale="log", xlabel="mean latency, ms", ylabel="energy proxy, mJ")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(visible=True)
        for kind, sign in KINDS.items():
            axes.plot([], [], sign, color=INK, label=kind)
        _legend(figure, axes, [(replay.published.title(model), colour) for model, colour in _named(models)])
        return as_svg(figure, "energy")


def fronts(found: List[Candidate]) -> List[Drawing]:
    """Accuracy against size and against latency, one for each machine that measured; those on its front have a ring."""
    caption = "Balanced accuracy against size and median latency of every file on %s; a ring: no other beats it in all"
    return [
        Drawing(numbered("pareto", place), "Pareto front", caption % machine, _front(own))
        for place, (machine, own) in enumerate(pareto.by_host(found))
    ]


def _front(found: List[Candidate]) -> str:
    models, recipes, best = _axis(found, "model"), sorted(_axis(found, "recipe"), key=recipe_order), pareto.front(found)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 4.2), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axes, place, scale, title in ((panels[0], 1, 1e-6, "size, MB"), (panels[1], 2, 1.0, "median latency, ms")):
            for one in found:
                model, recipe = str(one.benchmark.axis("model")), str(one.benchmark.axis("recipe"))
                at = (one.costs[place] * scale, -one.costs[0])
                axes.plot(*at, MARKERS[recipes.index(recipe) % len(MARKERS)], color=dict(_named(models))[model])
                if one in best:
                    axes.plot(*at, "o", markersize=13, markerfacecolor="none", color=INK, markeredgewidth=0.9)
            axes.set(xscale="log", xlabel=title)
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_locator(NullLocator())
            axes.grid(visible=True)
        panels[0].set_ylabel("balanced accuracy")
        for number, recipe in enumerate(recipes):
            panels[0].plot([], [], MARKERS[number % len(MARKERS)], color=INK, label=recipe)
        panels[0].plot([], [], "o", markersize=11, markerfacecolor="none", color=INK, label="on the front")
        _legend(figure, panels[0], _named(models))
        return as_svg(figure, "pareto")


def _legend(figure: Any, axes: Any, models: Sequence[Tuple[str, str]]) -> None:
    for name, colour in models:
        axes.plot([], [], "-", color=colour, label=name)
    figure.legend(loc="outside lower center", ncols=4)


def _named(models: Sequence[str]) -> List[Tuple[str, str]]:
    return list(zip(models, _colours(models)))


def _colours(models: Sequence[str]) -> Iterator[str]:
    return (COLOURS[number % len(COLOURS)] for number in range(len(models)))


def _axis(found: Sequence[Candidate], name: str) -> List[str]:
    values: Dict[str, None] = {str(one.benchmark.axis(name)): None for one in found}
    return sorted(values)
