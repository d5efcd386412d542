"""Tables of how long one inference takes, one table for each machine that measured, one row for each measurement."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Dict, List

from stages.report.gather import TFLITE
from stages.report.hosts import hosts, together
from stages.report.table import NOT_APPLICABLE, Cell, Table, derived, measured, numbered
from stages.report.tables import MILLISECONDS, axes, count

if TYPE_CHECKING:
    from stages.report.gather import Artifact, Gathered
    from stages.report.hosts import Host

NAME, TITLE = "latency", "Latency"
STATISTICS = ("mean", "std", "p50", "p90", "p95", "p99")
ONE, ALL = "latency", "latency_all_threads"  # metrics, without what of the distribution
COLUMNS = (
    *("model", "recipe", "runtime", "threads"),
    *("%s, ms" % name for name in STATISTICS),
    *("speed-up", "runs", "images/s", "in batches of", "first, ms", "load, ms"),
)


def latencies(gathered: Gathered) -> List[Table]:
    """One table for each machine, named `latency`, `latency-2`, ...; an empty one where nothing was measured."""
    found = hosts(gathered.of("benchmark"))
    return [_of_host(gathered, host, place) for place, host in enumerate(found)] or [_empty(NAME, TITLE)]


def _of_host(gathered: Gathered, host: Host, place: int) -> Table:
    table = _empty(numbered(NAME, place), "%s on %s" % (TITLE, host.label))
    for artifact in filter(host.measured, gathered.of("benchmark")):
        if artifact.number("%s_mean_ms" % ONE) is None:
            continue  # its accuracy is all that could be measured
        told = artifact.read_json("latency.json")
        table.rows.append(_row(gathered, artifact, ONE, told, _throughput(artifact)))
        if told.get("all_threads"):
            whole = {**told["all_threads"], "model_load_ms": None}
            table.rows.append(_row(gathered, artifact, ALL, whole, [NOT_APPLICABLE, NOT_APPLICABLE]))
    return table


def _empty(name: str, title: str) -> Table:
    return Table(name, title, list(COLUMNS), words=3)


def _row(
    gathered: Gathered, artifact: Artifact, metric: str, told: Dict[str, Any], throughput: List[Cell]
) -> List[Cell]:
    """Return one measurement of single inferences; `told` is its part of `latency.json`."""
    model, recipe, runtime = axes(artifact)
    return [
        model,
        recipe,
        replace(runtime, detail=_kernels(artifact)),
        Cell(str(told["threads"]), told["threads"]),
        *(measured(artifact, "%s_%s_ms" % (metric, name), MILLISECONDS) for name in STATISTICS),
        _speed_up(gathered, artifact, "%s_p50_ms" % metric),
        count(artifact, "%s_mean_ms" % metric),
        *throughput,
        *(_once(artifact, told[name]) for name in ("first_inference_ms", "model_load_ms")),
    ]


def _kernels(artifact: Artifact) -> str:
    """Say what computed: a part of the number."""
    return str(artifact.record.get("facts", {}).get("runtime", {}).get("kernels", ""))


def _throughput(artifact: Artifact) -> List[Cell]:
    """Return the images per second of the best batch, and how large that is."""
    return [measured(artifact, "images_per_second", "{:.1f}"), measured(artifact, "best_batch", "{:.0f}")]


def _once(artifact: Artifact, value: Any) -> Cell:
    """Return a duration that was measured once."""
    if value is None:
        return NOT_APPLICABLE
    title = "%s, artifact %s, measured once" % (artifact.label, artifact.key[:12])
    return Cell("%.1f" % value, value, "number", title=title, artifact=artifact)


def _speed_up(gathered: Gathered, artifact: Artifact, metric: str) -> Cell:
    """Compare the median with that of float32 TFLite on the CPU of the same machine."""
    reference = gathered.find("benchmark", model=artifact.axis("model"), recipe="float32", runtime=TFLITE)
    if reference is None or not together(artifact, reference):
        return NOT_APPLICABLE
    one, other = artifact.number(metric), reference.number("%s_p50_ms" % ONE)
    if one is None or other is None:
        return NOT_APPLICABLE
    how = "p50 of float32 on %s, %.2f ms, over that of this row" % (TFLITE, other["value"])
    return derived(other["value"] / one["value"], "{:.2f}", how)
