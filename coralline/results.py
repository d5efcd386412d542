"""Records of a run -> rows, each a number with its unit, its n, its interval and the artifact that it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coralline.runs import Run
    from coralline.store import Store

Row = dict[str, Any]

COLUMNS = (
    ("balanced accuracy", "balanced_accuracy", "{:.3f}"),
    ("size KB", "size_bytes", "{:,.0f}"),
    ("mean ms", "latency_mean_ms", "{:.2f}"),
    ("std ms", "latency_std_ms", "{:.2f}"),
    ("p50 ms", "latency_p50_ms", "{:.2f}"),
    ("p99 ms", "latency_p99_ms", "{:.2f}"),
    ("predicted ms", "predicted_latency_ms", "{:.1f}"),
)
SCALE = {"size_bytes": 1 / 1000}  # the TFLite study gives sizes in KB of 1000 bytes


def rows(run: Run, store: Store) -> list[Row]:
    """Every number of a run, in the order of its graph."""
    return list(_rows(run, store))


def _rows(run: Run, store: Store) -> Iterator[Row]:
    for told in run.steps.values():
        artifact = store.find(told["key"]) if told["key"] and told["state"] in ("made", "reused") else None
        if artifact is None:
            continue
        axes = artifact.record["axes"]
        for number in artifact.record["numbers"]:
            yield {
                "model": number.get("model", axes.get("model")),
                "recipe": number.get("recipe", axes.get("recipe", "float32-keras" if "model" in axes else None)),
                "runtime": number.get("runtime", axes.get("runtime")),
                "metric": number["metric"],
                "value": number["value"],
                "unit": number["unit"],
                "n": number.get("n"),
                "interval": number.get("interval"),
                "artifact": artifact.key,
            }


def table(found: list[Row]) -> tuple[list[str], list[list[str]]]:
    """Headers and cells: one line for each model, recipe and runtime of which a number has a column here."""
    shown = {metric for _, metric, _ in COLUMNS}
    lines: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in found:
        if row["runtime"] is not None and row["metric"] in shown:
            lines.setdefault((row["model"], row["recipe"], row["runtime"]), {})[row["metric"]] = row
    headers = ["model", "recipe", "runtime", *(title for title, _, _ in COLUMNS)]
    return headers, [
        [*where, *(_cell(numbers.get(metric), form) for _, metric, form in COLUMNS)] for where, numbers in lines.items()
    ]


def _cell(row: Row | None, form: str) -> str:
    if row is None:
        return ""
    text = form.format(row["value"] * SCALE.get(row["metric"], 1))
    return (
        text
        if row["interval"] is None
        else text + " [" + ", ".join(form.format(bound) for bound in row["interval"]) + "]"
    )


def blocked(run: Run) -> list[tuple[str, str]]:
    """Return the steps that could not be made here, with the reason."""
    return [(label, told["reason"]) for label, told in run.steps.items() if told["state"] == "blocked"]
