"""How latency is measured: counts, percentiles and the load of the machine, on clocks and files of our own."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

import pytest

from stages.benchmark.latency import Latency, measure
from stages.benchmark.load import LoadMeter, machine, remarks

if TYPE_CHECKING:
    from pathlib import Path

MS = 1_000_000


class FakeClock:
    """A clock in nanoseconds that only moves when told."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now

    def work(self, durations_ms: list[float]) -> None:
        """Take the next of the durations, the last one for ever."""
        self.now += int((durations_ms.pop(0) if len(durations_ms) > 1 else durations_ms[0]) * MS)


def timed(durations_ms: list[float], **wanted: float) -> Latency:
    clock = FakeClock()
    values = {"warmup_runs": 2, "min_runs": 10, "min_seconds": 0.0, **wanted}
    return measure(
        lambda: clock.work(durations_ms),
        warmup_runs=int(values["warmup_runs"]),
        min_runs=int(values["min_runs"]),
        min_seconds=values["min_seconds"],
        clock=clock,
    )


def test_the_first_run_stands_apart_and_warm_up_is_not_counted() -> None:
    latency = timed([500.0, 90.0, 80.0, 2.0])
    assert latency.first_ns == 500 * MS
    assert latency.runs_ns == [2 * MS] * 10


def test_both_runs_and_seconds_must_suffice() -> None:
    assert len(timed([1.0], min_runs=10, min_seconds=0.1).runs_ns) == 100
    assert len(timed([50.0], min_runs=10, min_seconds=0.1).runs_ns) == 10


def test_percentiles_are_those_of_the_runs() -> None:
    found = Latency(0, [value * MS for value in range(1, 101)]).milliseconds()
    assert (found["mean"], found["p50"]) == (50.5, 50.5)
    assert found["p99"] == pytest.approx(99.01)
    assert found["std"] == pytest.approx(29.0115, abs=1e-4)


def test_a_latency_that_drifts_is_called_unstable() -> None:
    steady = Latency(0, [100, 101] * 30)
    assert steady.remarks() == []
    drifting = Latency(0, [100] * 20 + [102] * 20 + [105] * 20)
    assert drifting.spread() == pytest.approx(0.05)
    (remark,) = drifting.remarks()
    assert remark.startswith("unstable")
    assert "5.0 %" in remark


def test_garbage_is_not_collected_while_the_clock_runs() -> None:
    seen = []
    measure(lambda: seen.append(gc.isenabled()), warmup_runs=1, min_runs=5, min_seconds=0.0)
    assert not any(seen)
    assert gc.isenabled()


def test_timing_costs_less_than_a_microsecond_a_run() -> None:
    runs = measure(lambda: None, warmup_runs=100, min_runs=20_000, min_seconds=0.0).runs_ns
    assert sorted(runs)[len(runs) // 2] < 1000


def proc(root: Path, ticks: str) -> Path:
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc" / "stat").write_text(f"cpu  {ticks} 0 0\ncpu0 1 2 3\n")
    return root


def test_time_of_other_processes_and_of_the_hypervisor_is_seen(tmp_path: Path) -> None:
    meter = LoadMeter(proc(tmp_path, "1000 0 0 1000 0 0 0 0"))
    proc(tmp_path, "901000 0 0 1000 0 0 0 100000")
    load = meter.read()
    assert load["other_cores"] > 1.0
    assert load["steal"] == pytest.approx(0.1)
    found = remarks(load, "powersave")
    assert [remark.split(" ")[0] for remark in found] == ["other", "the", "the"]
    assert "'powersave'" in found[2]


def test_an_idle_machine_leaves_no_remark(tmp_path: Path) -> None:
    meter = LoadMeter(proc(tmp_path, "1000 0 0 1000 0 0 0 0"))
    proc(tmp_path, "1000 0 0 2000 0 0 0 0")
    assert remarks(meter.read(), "performance") == []


def test_what_cannot_be_read_is_unknown_and_not_zero(tmp_path: Path) -> None:
    load = LoadMeter(tmp_path).read()
    assert (load["other_cores"], load["steal"]) == (None, None)
    assert remarks(load, None) == []
    assert machine(tmp_path)["governor"] is None


def test_the_processor_is_named(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n")
    governor = tmp_path / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    governor.parent.mkdir(parents=True)
    governor.write_text("performance\n")
    found = machine(tmp_path)
    assert (found["cpu_model"], found["governor"]) == ("Some CPU @ 2 GHz", "performance")


def test_a_raspberry_pi_is_named_by_its_board(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    lines = "model name\t: ARMv7 Processor rev 3 (v7l)\n\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n"
    (tmp_path / "proc" / "cpuinfo").write_text(lines)
    assert machine(tmp_path)["cpu_model"] == "Raspberry Pi 4 Model B Rev 1.4"


def test_the_window_holds_the_timed_runs_and_not_the_warm_up() -> None:
    before = time.time()
    durations = [0.2] * 6 + [0.001]  # the first run and five warm-up runs are long
    latency = measure(
        lambda: time.sleep(durations.pop(0) if len(durations) > 1 else durations[0]),
        warmup_runs=5,
        min_runs=10,
        min_seconds=0.01,
    )
    begin_s, end_s = latency.window_s
    assert begin_s - before >= 6 * 0.2 - 0.01  # the clocks of sleep and of Unix time are two
    assert sum(latency.runs_ns) / 1e9 - 0.01 <= end_s - begin_s
    assert end_s <= time.time()
