"""Energy of one inference of each benchmark: the proxy TDP x mean latency, and what a power meter measured, apart.

A proxy is no consumption: a TDP is what a cooler is built for, and a processor draws less, or for a moment more. What
is measured is the energy above idle of all that the meter feeds.
"""

from __future__ import annotations

import calendar
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Tuple

from stages.contract import number
from stages.report import meter
from stages.report.hosts import hosts
from stages.report.table import NOT_APPLICABLE, Cell, Table, derived, numbered, origin, word
from stages.report.tdp import Processor, processor

if TYPE_CHECKING:
    from stages.contract import Step
    from stages.report.gather import Artifact, Gathered

STARTED = "%Y-%m-%dT%H:%M:%SZ"
SLIP = 0.01  # of the runs in it, by which a window may be off; by more when somebody set the clock
BETWEEN_S = 1e-5  # two calls of the clock and an append lie between two runs
ROUND_FROM = 100
NAME, TITLE = "energy", "Energy of one inference"


@dataclass(frozen=True)
class Energy:
    """Energy of one inference of one benchmark in mJ; `measured` is None where it is not, and `why_not` says why.

    Without a meter `why_not` is empty.
    """

    artifact: Artifact
    processor: Processor
    latency_ms: float
    measured: Optional[meter.Measured] = None
    why_not: str = ""

    @property
    def proxy_mj(self) -> Optional[float]:
        """TDP x mean latency (W x ms = mJ); None where no TDP is known, see `no_proxy`."""
        return None if self.processor.watts is None else self.processor.watts * self.latency_ms

    def document(self) -> Optional[Dict[str, Any]]:
        """Describe what was measured, for programs; None where nothing was."""
        if self.measured is None:
            return None
        value, interval = self.measured.energy_mj, list(self.measured.interval_mj)
        return {"value": value, "interval": interval, "artifact": self.artifact.key}

    @property
    def no_proxy(self) -> str:
        """What to do where there is no proxy."""
        return "no TDP is known for '%s': name it with --tdp %s=WATTS" % (self.processor.name, self.processor.kind)


def energies(step: Step, gathered: Gathered) -> List[Energy]:
    """Give the energy of each benchmark, in their order.

    The spec of a step that calls this declares the input `meter` (`report.spec.METER`) and the parameters
    `report.spec.ENERGY`.

    Raises:
        InputError: the meter's file is wrong, or has too few idle samples.
    """
    found = [
        Energy(one, processor(one, step.parameters), float(mean["value"]))
        for one in gathered.of("benchmark")
        for mean in [one.number("latency_mean_ms")]
        if mean is not None
    ]
    if "meter" not in step.inputs:
        return found
    readings = meter.read(step.inputs["meter"])
    quiet = meter.idle(readings, [_busy(one) for one in gathered.artifacts])
    return [_metered(one, readings, quiet, step.parameters["meter_on"]) for one in found]


def _busy(artifact: Artifact) -> Tuple[float, float]:
    """Return when a step ran, in Unix seconds; its record has the beginning in whole ones."""
    begin_s = calendar.timegm(time.strptime(artifact.record["started"], STARTED))
    return begin_s, begin_s + 1 + artifact.record["seconds"]


def _metered(one: Energy, readings: meter.Readings, quiet: meter.Idle, meter_on: str) -> Energy:
    if meter_on == "edgetpu" and one.processor.kind != "edgetpu":
        return Energy(one.artifact, one.processor, one.latency_ms, None, "the meter feeds the Edge TPU alone")
    try:
        measured = meter.measure(readings, quiet, *_window(one))
    except meter.WindowError as error:
        return Energy(one.artifact, one.processor, one.latency_ms, None, str(error))
    return Energy(one.artifact, one.processor, one.latency_ms, measured)


def _window(one: Energy) -> Tuple[Tuple[float, float], int]:
    """Return when the timed runs of a benchmark were, and how many."""
    told: Dict[str, Any] = one.artifact.read_json("latency.json")
    begin_s, end_s, runs = told["window"]["begin_s"], told["window"]["end_s"], told["runs"]
    of_runs_s = runs * one.latency_ms / 1000
    if not -SLIP * of_runs_s <= end_s - begin_s - of_runs_s <= SLIP * of_runs_s + BETWEEN_S * runs:
        raise meter.WindowError("the machine's clock was set while it was measured")
    return (begin_s, end_s), runs


def numbers(found: List[Energy]) -> Iterator[Dict[str, Any]]:
    """Give the numbers of the record: `energy_proxy_mj` and `energy_measured_mj`."""
    for one in found:
        axes = {name: one.artifact.axis(name) or "" for name in ("model", "recipe", "runtime")}
        if one.proxy_mj is not None:
            yield number("energy_proxy_mj", one.proxy_mj, "mJ", None, None, **axes)
        if one.measured is not None:
            runs = one.artifact.read_json("latency.json")["runs"]
            interval = one.measured.interval_mj
            yield number("energy_measured_mj", one.measured.energy_mj, "mJ", runs, interval, **axes)


def tables(found: List[Energy]) -> List[Table]:
    """One table for each machine that measured, named `energy`, `energy-2`, ...; an empty one where none did."""
    machines = hosts(one.artifact for one in found)
    parts = [(host.label, [one for one in found if host.measured(one.artifact)]) for host in machines]
    made = [table(own, numbered(NAME, place), "%s on %s" % (TITLE, label)) for place, (label, own) in enumerate(parts)]
    return made or [table([])]


def table(found: List[Energy], name: str = NAME, title: str = TITLE) -> Table:
    """One row for each benchmark; the meter's columns only where there was one."""
    is_metered = any(one.measured or one.why_not for one in found)
    columns = ["model", "recipe", "runtime", "processor", "TDP, W", "TDP x mean latency, mJ"]
    groups = [("", 3), ("Proxy, not measured", 3)]
    if is_metered:
        columns += ["energy, mJ", "power, W"]
        groups += [("Measured above idle", 2)]
    told = Table(name, title, columns, groups=groups, words=4)
    for one in found:
        metered = [measured_cell(told, one), _power(one)] if is_metered else []
        axes = [word(one.artifact.axis(name)) for name in ("model", "recipe", "runtime")]
        told.rows.append([*axes, word(one.processor.name), _watts(told, one), proxy_cell(told, one), *metered])
    return told


def proxy_cell(told: Table, one: Energy) -> Cell:
    """Return the cell of a proxy, which says that it is one, or why there is none."""
    if one.proxy_mj is None:
        return told.missing("no TDP", one.no_proxy)
    how = "proxy, not measured: %g W x %.3f ms" % (one.processor.watts or 0, one.latency_ms)
    return Cell(_mj(one.proxy_mj), one.proxy_mj, "proxy", detail="proxy", title=how, artifact=one.artifact)


def measured_cell(told: Table, one: Energy) -> Cell:
    """Return the cell of a measured energy with its interval, or why there is none."""
    if one.measured is None:
        return told.missing("not measured", one.why_not) if one.why_not else NOT_APPLICABLE
    interval = "[%s, %s]" % tuple(_mj(bound) for bound in one.measured.interval_mj)
    how = "power meter, %d samples: %s" % (one.measured.samples, origin(one.artifact, {}))
    return Cell(_mj(one.measured.energy_mj), one.measured.energy_mj, "number", interval, how, one.artifact)


def _watts(told: Table, one: Energy) -> Cell:
    if one.processor.watts is None:
        return NOT_APPLICABLE
    source = "%s, %g W: %s" % (one.processor.name, one.processor.watts, one.processor.source)
    if source not in told.notes:
        told.notes.append(source)
    note = told.notes.index(source) + 1
    return Cell("%g" % one.processor.watts, one.processor.watts, title=one.processor.source, note=note)


def _power(one: Energy) -> Cell:
    if one.measured is None:
        return NOT_APPLICABLE
    return derived(one.measured.power_w, "{:.3g}", "mean power above idle in the window of the timed runs")


def _mj(value: float) -> str:
    """Write three digits, and whole numbers from a hundred on."""
    return f"{value:,.0f}" if abs(value) >= ROUND_FROM else f"{value:.3g}"
