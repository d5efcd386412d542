"""Records of a run -> rows, each a number with its unit, its n, its interval and the artifact that it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from coralline.runs import Run
    from coralline.store import Store

Row = dict[str, Any]

SCORES = (("balanced accuracy", "balanced_accuracy", "{:.3f}"), ("IoU", "iou", "{:.3f}"))  # a task has one of them
COLUMNS = (
    *SCORES,
    ("size KB", "size_bytes", "{:,.0f}"),
    ("mean ms", "latency_mean_ms", "{:.2f}"),
    ("std ms", "latency_std_ms", "{:.2f}"),
    ("p50 ms", "latency_p50_ms", "{:.2f}"),
    ("p99 ms", "latency_p99_ms", "{:.2f}"),
    ("all threads: p50 ms", "latency_all_threads_p50_ms", "{:.2f}"),
    ("images/s", "images_per_second", "{:.1f}"),
    ("predicted ms", "predicted_latency_ms", "{:.1f}"),
)
DURATION = "latency_mean_ms"  # every benchmark has it whose file a runtime executes
SCALE = {"size_bytes": 1 / 1000}  # the TFLite study gives sizes in KB of 1000 bytes
SHORT = 6  # digits of a fingerprint that tell two machines apart


def rows(run: Run, store: Store) -> list[Row]:
    """Every number of a run, in the order of its graph."""
    told = [step for step in run.steps.values() if step["key"] and step["state"] in ("made", "reused")]
    found = [(step, artifact.record) for step in told if (artifact := store.find(step["key"])) is not None]
    names = _hosts(record["host"] for _, record in found if record["stage"] == "benchmark")
    return [row | _point(step) for step, record in found for row in _rows(record, names)]


def _point(step: Mapping[str, Any]) -> Row:
    """Return where in a sweep a step stands, if it is part of one."""
    return {"point": step["point"]} if "point" in step else {}


def _rows(record: dict[str, Any], names: Mapping[str, str]) -> Iterator[Row]:
    axes, host = record["axes"], record["host"]
    for number in record["numbers"]:
        yield {
            "model": number.get("model", axes.get("model")),
            "recipe": number.get("recipe", axes.get("recipe", "float32-keras" if "model" in axes else None)),
            "runtime": number.get("runtime", axes.get("runtime")),
            "host": names.get(_identity(host), _processor(host)),
            "metric": number["metric"],
            "value": number["value"],
            "unit": number["unit"],
            "n": number.get("n"),
            "interval": number.get("interval"),
            "artifact": record["key"],
        }


def _hosts(found: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Name the machines that measured; of those with one processor each by its fingerprint too, as in the report."""
    processors = {_identity(host): _processor(host) for host in found}
    names = list(processors.values())
    return {
        identity: f"{name} ({identity[:SHORT]})" if names.count(name) > 1 else name
        for identity, name in processors.items()
    }


def _identity(host: Mapping[str, Any]) -> str:
    return str(host.get("fingerprint") or f"{_processor(host)} {host.get('cpu_flags_sha256', '')}")


def _processor(host: Mapping[str, Any]) -> str:
    return f"{host.get('cpu_model', 'unknown')}, {host.get('cores', '?')} cores"


def tables(found: list[Row]) -> list[tuple[str, list[str], list[list[str]]]]:
    """One table for each machine that measured: its name, headers and cells.

    A line is a model, recipe and runtime of which a number has a column here; what was measured nowhere stands in the
    first table.
    """
    shown = {metric for _, metric, _ in COLUMNS}
    lines: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in found:
        if row["runtime"] is not None and row["metric"] in shown:
            lines.setdefault((row["model"], row["recipe"], row["runtime"]), {})[row["metric"]] = row
    hosts = sorted({line[DURATION]["host"] for line in lines.values() if DURATION in line}) or [""]
    unused = {score for score in SCORES if not any(score[1] in line for line in lines.values())}
    columns = [column for column in COLUMNS if column not in unused or (len(unused) > 1 and column == SCORES[0])]
    headers = ["model", "recipe", "runtime", *(title for title, _, _ in columns)]
    by_host: dict[str, list[list[str]]] = {host: [] for host in hosts}
    for where, numbers in lines.items():
        host = numbers[DURATION]["host"] if DURATION in numbers else hosts[0]
        by_host[host].append([*where, *(_cell(numbers.get(metric), form) for _, metric, form in columns)])
    return [(host, headers, cells) for host, cells in by_host.items()]


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
