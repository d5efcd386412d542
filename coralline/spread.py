"""Rows of a swept run -> one line for each configuration: mean and spread over its seeds, and where each came from."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from coralline.results import COLUMNS, SCALE
from coralline.sweep import is_seed, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from coralline.results import Row
    from coralline.runs import Run

Line = dict[str, Any]
SAME = ("model", "recipe", "runtime", "metric", "unit")


def lines(rows: Iterable[Row]) -> list[Line]:
    """Gather the numbers that have a runtime, all seeds of one configuration in a line.

    `spread` is the standard deviation over seeds (n - 1), None for a single one; `point` holds what was swept over and
    is no seed, `values` each number with its seeds and artifact.
    """
    gathered: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if row["runtime"] is not None:
            point = row.get("point", {})
            place = tuple((name, _hashable(value)) for name, value in point.items() if not is_seed(name))
            gathered.setdefault((place, *(row[name] for name in SAME)), []).append(row)
    return [_line(several) for several in gathered.values()]


def _line(several: list[Row]) -> Line:
    first, numbers = several[0], [row["value"] for row in several]
    return {
        "point": {name: value for name, value in first.get("point", {}).items() if not is_seed(name)},
        **{name: first[name] for name in SAME},
        "n": len(numbers),
        "mean": statistics.fmean(numbers),
        "spread": statistics.stdev(numbers) if len(numbers) > 1 else None,
        "least": min(numbers),
        "most": max(numbers),
        "hosts": sorted({row["host"] for row in several}),
        "values": [_value(row) for row in several],
    }


def _value(row: Row) -> dict[str, Any]:
    seeds = {name: value for name, value in row.get("point", {}).items() if is_seed(name)}
    return {"seeds": seeds, "value": row["value"], "artifact": row["artifact"]}


def document(run: Run, found: list[Line]) -> dict[str, Any]:
    """Return the answer as one JSON object."""
    return {"schema": "coralline.sweep", "version": 1, "run": run.id, "swept": run.request["swept"], "rows": found}


def table(found: Iterable[Line]) -> tuple[list[str], list[list[str]]]:
    """Return headers and cells: a line for each configuration, model, recipe and runtime."""
    by_place: dict[tuple[Any, ...], dict[str, Line]] = {}
    names: dict[str, None] = {}
    for line in found:
        names |= dict.fromkeys(line["point"])
        place = tuple((name, _hashable(value)) for name, value in line["point"].items())
        by_place.setdefault((place, line["model"], line["recipe"], line["runtime"]), {})[line["metric"]] = line
    metrics = {metric for lines_here in by_place.values() for metric in lines_here}
    columns = [column for column in COLUMNS if column[1] in metrics]
    headers = [*names, "model", "recipe", "runtime", "n", *(title for title, _, _ in columns)]
    cells = [
        [
            *(shown(dict(place)[name]) if name in dict(place) else "" for name in names),
            *where,
            str(max(line["n"] for line in lines_here.values())),
            *(_cell(lines_here.get(metric), form) for _, metric, form in columns),
        ]
        for (place, *where), lines_here in by_place.items()
        if any(metric in lines_here for _, metric, _ in columns)
    ]
    return headers, cells


def _cell(line: Mapping[str, Any] | None, form: str) -> str:
    if line is None:
        return ""
    scale = SCALE.get(line["metric"], 1)
    mean = form.format(line["mean"] * scale)
    return mean if line["spread"] is None else f"{mean} ± {form.format(line['spread'] * scale)}"


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
