"""Builds Tables 1 to 3: in the paper's form, and cell by cell with interval, difference and verdict.

A value of the paper carries a dagger and its own style, so that it never looks like one of ours.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Dict, Iterator, List, Sequence, Tuple

from stages.paper.verdicts import AGREES, BETTER, WORSE
from stages.report import tdp
from stages.report.energy import measured_cell
from stages.report.hosts import label
from stages.report.table import NOT_APPLICABLE, Cell, Table, derived, origin, predicted, word

if TYPE_CHECKING:
    from stages.paper.compare import Replay
    from stages.paper.published import Published
    from stages.paper.verdicts import Comparison

DAGGER = "\u2020"
FORMS = {"accuracy": "{:.2f}", "latency": "{:.3f}", "energy": "{:,.0f}"}
WAYS = {"paper": "ours, the paper's way", "ours": "ours, our way"}
JUDGED = (AGREES, BETTER, WORSE)
ANCHORS = {"latency": "table-2", "energy": "table-3"}


def overview(replay: Replay, compared: Sequence[Comparison]) -> Table:
    """Table 1 in the paper's form: for each model its values, ours made in its way, and ours."""
    columns = replay.published.columns("accuracy")
    table = Table("table-1", "Table 1: balanced accuracy, %", ["model", "values", *columns], words=2)
    for model in replay.gathered.models:
        of_model = [one for one in compared if one.spot.model == model]
        title = word(replay.published.title(model))
        table.rows.append([title, word("paper"), *_published_row(replay.published, model, columns)])
        for way, name in WAYS.items():
            chosen = {one.spot.column: one for one in of_model if one.spot.way in (way, "both")}
            table.rows.append([title, word(name), *(_in_overview(table, chosen[column]) for column in columns)])
    return table


def accuracy(published: Published, compared: Sequence[Comparison]) -> Table:
    """Table 1, one row for each cell and each recipe that may stand in it."""
    titles = ["model", "column", "recipe", "runtime", "paper, %", "ours, %", "images", "ours - paper", "verdict"]
    steps = ["from TF, paper", "from TF, ours"]
    table = Table("table-1-cells", "Table 1, cell by cell", titles + steps, words=4)
    float_networks = {one.spot.model: one for one in compared if one.spot.way == "both"}
    for one in compared:
        n = one.ours.n if one.ours else None
        table.rows.append(
            [
                *_words(published, one),
                published_cell(published, one),
                ours_cell(one),
                NOT_APPLICABLE if n is None else Cell(f"{n:,}", n),
                _difference(one),
                verdict_cell(table, one),
                *_from_float(published, float_networks[one.spot.model], one),
            ]
        )
    return table


def durations(name: str, title: str, replay: Replay, compared: Sequence[Comparison]) -> Table:
    """Table 2 or 3, one row for each cell and each recipe that may stand in it."""
    unit, wanted = replay.published.paper[name]["unit"], _beside(name, compared)
    numbers = ["paper, %s" % unit, "ours, %s" % unit, *wanted, "ours / paper", "verdict"]
    table = Table(ANCHORS[name], title, ["model", "column", "recipe", "our processor", *numbers], words=4)
    for one in compared:
        model, column, recipe, _ = _words(replay.published, one)
        table.rows.append(
            [
                model,
                replace(column, detail=_on(column.text, replay.published.processor(one.spot.column))),
                recipe,
                _processor(replay, one),
                published_cell(replay.published, one),
                ours_cell(one),
                *(_predicted(replay, one) if name == "latency" else _measured(table, one) for _ in wanted),
                NOT_APPLICABLE if one.ratio is None else derived(one.ratio, "{:.2f}", "ours over the paper's"),
                verdict_cell(table, one),
            ]
        )
    return table


def published_cell(published: Published, one: Comparison) -> Cell:
    """Show a value of the paper as such."""
    if one.published is None:
        return NOT_APPLICABLE
    form, told = FORMS[one.spot.table], published.paper[one.spot.table]
    spread = "" if one.published.std is None else "\u00b1 " + form.format(one.published.std)
    how = told.get("derived", "%s of %s" % (told["where"], published.paper["source"]))
    return Cell(form.format(one.published.value) + DAGGER, one.published.value, "published", spread, how)


def ours_cell(one: Comparison) -> Cell:
    """Show our value with its spread."""
    if one.ours is None:
        return NOT_APPLICABLE
    form = FORMS[one.spot.table]
    return Cell(
        form.format(one.ours.value),
        one.ours.value,
        "proxy" if one.spot.table == "energy" else "number",
        _spread(one, form),
        origin(one.ours.artifact, {"n": one.ours.n}),
        one.ours.artifact,
    )


def verdict_cell(table: Table, one: Comparison) -> Cell:
    """Show the verdict in words; a footnote says why there is none."""
    if one.ours is None:
        return table.missing(one.verdict, one.reason)
    return Cell(one.verdict, one.verdict, one.verdict if one.verdict in JUDGED else "")


def counts(compared: Sequence[Comparison]) -> List[Tuple[str, int]]:
    """Count the verdicts, the most frequent first."""
    found: Dict[str, int] = {}
    for one in compared:
        found[one.verdict] = found.get(one.verdict, 0) + 1
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def _beside(name: str, compared: Sequence[Comparison]) -> List[str]:
    """Name the column for what is no part of the comparison: a prediction, or, where there was a meter, its energy."""
    if name == "latency":
        return ["predicted, ms"]
    is_metered = any(one.energy and (one.energy.measured or one.energy.why_not) for one in compared)
    return ["measured above idle, mJ"] if is_metered else []


def _measured(table: Table, one: Comparison) -> Cell:
    return NOT_APPLICABLE if one.energy is None else measured_cell(table, one.energy)


def _processor(replay: Replay, one: Comparison) -> Cell:
    """Name what ran our benchmark, on how many threads where they are a CPU's, and the machine that it was in."""
    told = one.ours or one.energy
    if told is None:
        return NOT_APPLICABLE
    artifact = told.artifact
    kind, name = tdp.named(artifact)
    machine = "in %s" % label(artifact, replay.gathered.of("benchmark"))
    threads = ["threads: %s" % artifact.read_json("latency.json")["threads"]] if kind == "cpu" else []
    return replace(word(name), detail="; ".join([*threads, machine]))


def _on(column: str, processor_of_paper: str) -> str:
    """Name the paper's processor where its column does not."""
    return "" if column.startswith(processor_of_paper) else "(%s)" % processor_of_paper


def _words(published: Published, one: Comparison) -> Iterator[Cell]:
    spot = one.spot
    yield word(published.title(spot.model))
    yield Cell(spot.column, published.columns(spot.table).index(spot.column))
    yield word(spot.place.recipe)
    yield one.runtime


def _published_row(published: Published, model: str, columns: Sequence[str]) -> Iterator[Cell]:
    for column in columns:
        value = published.value("accuracy", model, column)
        text = "" if value is None else FORMS["accuracy"].format(value.value) + DAGGER
        yield Cell(text, value.value, "published", title=published.paper["source"]) if value else NOT_APPLICABLE


def _in_overview(table: Table, one: Comparison) -> Cell:
    if one.ours is None:
        return verdict_cell(table, one)
    cell = ours_cell(one)
    detail = " ".join(part for part in (cell.detail, one.verdict) if part)
    return Cell(cell.text, cell.sort, cell.kind, detail, cell.title, cell.artifact)


def _spread(one: Comparison, form: str) -> str:
    ours = one.ours
    if ours is not None and ours.low is not None and ours.high is not None:
        return "[%s, %s]" % (form.format(ours.low), form.format(ours.high))
    return "" if ours is None or ours.std is None else "\u00b1 " + form.format(ours.std)


def _difference(one: Comparison) -> Cell:
    if one.difference is None:
        return NOT_APPLICABLE
    return derived(one.difference, "{:+.2f}", "ours minus the paper's, in percentage points")


def _from_float(published: Published, float_network: Comparison, one: Comparison) -> Iterator[Cell]:
    """Show what has been lost or won since the float network, by the paper and by us."""
    if one is float_network or one.published is None or float_network.published is None:
        yield NOT_APPLICABLE
    else:
        theirs = one.published.value - float_network.published.value
        how = "from %s of %s" % (published.paper["accuracy"]["where"], published.paper["source"])
        yield Cell(f"{theirs:+.2f}" + DAGGER, theirs, "published", title=how)
    if one is float_network or one.ours is None or float_network.ours is None:
        yield NOT_APPLICABLE
    else:
        yield derived(
            one.ours.value - float_network.ours.value, "{:+.2f}", "ours minus our float network's, in percentage points"
        )


def _predicted(replay: Replay, one: Comparison) -> Cell:
    """Show what is predicted of a file on the Edge TPU, for this project's own image size."""
    place = one.spot.place
    judged = replay.gathered.find("check", model=one.spot.model, recipe=place.recipe)
    if judged is None or place.runtime != "edgetpu":
        return NOT_APPLICABLE
    return predicted(judged, "predicted_latency_ms", "{:.1f}")
