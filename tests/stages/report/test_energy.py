"""Energy in the report: a proxy from the table of TDPs or the user, a meter's measurement, never one for the other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from htmlpage import Page
from synthetic_run import HOST, SPEEDS, STARTED_S, Run

from stages.report import __main__ as stage
from stages.report import energy, tdp
from stages.report.gather import gather

if TYPE_CHECKING:
    from pathlib import Path

    from stages.report.energy import Energy

ROW = ("inceptionv3", "ptq-int8", "tflite-cpu")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    built = Run(tmp_path / "run")
    built.dataset()
    built.train("inceptionv3", 1)
    for recipe, runtime in (("float32", "tflite-cpu"), ("ptq-int8", "tflite-cpu"), ("ptq-int8", "edgetpu")):
        built.benchmark("inceptionv3", recipe, runtime)
    return built


def edit_latency(run: Run, name: str, **values: Any) -> None:
    place = run.inputs[name] / "latency.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), **values}))


def found(run: Run, out: Path, **parameters: Any) -> dict[tuple[str, ...], Energy]:
    step = run.step(out, **parameters)
    return {
        tuple(str(one.artifact.axis(name)) for name in ("model", "recipe", "runtime")): one
        for one in energy.energies(step, gather(step))
    }


def log_power(run: Run, watts: dict[tuple[float, float], float], *, idle_w: float = 1.5) -> Path:
    """Write a meter's file from a minute before the steps to a minute after, with other power in some spans."""
    time_s = STARTED_S - 60 + np.arange(0, 140, 0.01)
    power_w = idle_w + np.where(np.arange(len(time_s)) % 2, 0.1, -0.1)
    for (begin, end), value in watts.items():
        power_w[(time_s >= STARTED_S + begin) & (time_s <= STARTED_S + end)] += value - idle_w
    path = run.root / "power.csv"
    path.write_text("time_s,power_w\n" + "".join(f"{t:.2f},{p}\n" for t, p in zip(time_s, power_w, strict=True)))
    run.inputs["meter"] = path
    return path


@pytest.mark.parametrize(
    ("kind", "name", "watts"),
    [
        ("cpu", "AMD EPYC 7763 64-Core Processor", 280),
        ("cpu", "Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz", 65),
        ("cpu", "Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz", 135),
        ("cpu", "Intel(R) N100", 6),
        ("cpu", "AMD Ryzen 7 PRO 5850U with Radeon Graphics", 15),
        ("gpu", "NVIDIA A100-SXM4-80GB", 400),
        ("gpu", "NVIDIA A100-PCIE-40GB", 250),
        ("gpu", "NVIDIA A100 80GB PCIe", 300),
        ("gpu", "Tesla T4", 70),
        ("gpu", "NVIDIA H200", 700),
        ("gpu", "NVIDIA H200 NVL", 600),
        ("edgetpu", tdp.EDGE_TPU, 2),
    ],
)
def test_a_processor_is_found_by_the_words_of_its_name(kind: str, name: str, watts: float) -> None:
    entry = tdp.look_up(kind, name)
    assert entry is not None
    assert entry["watts"] == watts


@pytest.mark.parametrize(
    "name",
    [
        *("AMD EPYC", "AMD EPYC 7763X", "Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", "AMD Ryzen 7 5800X3D"),
        *("Raspberry Pi 5 Model B Rev 1.0", "x86_64", ""),
    ],
)
def test_a_relative_of_a_known_processor_is_unknown(name: str) -> None:
    assert tdp.look_up("cpu", name) is None


@pytest.mark.parametrize("name", ["NVIDIA A100-SXM4-40GB MIG 1g.5gb", "NVIDIA H200 MIG 1g.18gb"])
def test_a_slice_of_a_gpu_has_not_the_tdp_of_the_whole(name: str) -> None:
    assert tdp.look_up("gpu", name.partition(" MIG")[0]) is not None
    assert tdp.look_up("gpu", name) is None


def test_every_entry_of_the_table_has_a_source_and_finds_itself() -> None:
    for kind in tdp.KINDS:
        for entry in tdp.TABLE[kind]:
            assert entry["source"].startswith(("https://", "http://")), entry["name"]
            assert entry["watts"] > 0
            assert all(tdp.look_up(kind, f"Maker {match} @ 1 GHz") == entry for match in entry["match"])


def test_the_proxy_is_tdp_times_mean_latency(run: Run, tmp_path: Path) -> None:
    edit_latency(run, "benchmark.inceptionv3.ptq-int8.tflite-cpu", machine={"cpu_model": "AMD EPYC 7763 64-Core"})
    rows = found(run, tmp_path / "out")
    assert rows[ROW].proxy_mj == pytest.approx(280 * SPEEDS["ptq-int8"])
    assert rows["inceptionv3", "ptq-int8", "edgetpu"].proxy_mj == pytest.approx(2 * 0.2 * SPEEDS["ptq-int8"])
    assert rows["inceptionv3", "float32", "tflite-cpu"].proxy_mj is None


def test_a_gpu_is_known_by_the_name_that_its_runtime_told(run: Run, tmp_path: Path) -> None:
    run.benchmark("inceptionv3", "float32-keras", "keras-gpu")
    edit_latency(run, "benchmark.inceptionv3.float32-keras.keras-gpu", runtime={"gpu": "NVIDIA A100-SXM4-40GB"})
    one = found(run, tmp_path / "out")["inceptionv3", "float32-keras", "keras-gpu"]
    assert (one.processor.kind, one.processor.watts) == ("gpu", 400)


def test_what_the_user_says_of_a_tdp_wins(run: Run, tmp_path: Path) -> None:
    rows = found(run, tmp_path / "out", cpu_tdp_w=65.0, edgetpu_tdp_w=4.5)
    assert rows[ROW].processor.watts == 65
    assert "--tdp" in rows[ROW].processor.source
    assert rows["inceptionv3", "ptq-int8", "edgetpu"].processor.watts == 4.5


def test_an_unknown_processor_has_no_energy_and_says_what_to_do(run: Run, tmp_path: Path) -> None:
    table = energy.table(list(found(run, tmp_path / "out").values()))
    cells = next(row for row in table.rows if tuple(cell.text for cell in row[:3]) == ROW)
    assert [cell.text for cell in cells[3:]] == ["Example CPU 9000", "\u2013", "no TDP"]
    assert table.notes[cells[5].note - 1] == "no TDP is known for 'Example CPU 9000': name it with --tdp cpu=WATTS"


def test_a_meter_measures_the_window_of_the_timed_runs(run: Run, tmp_path: Path) -> None:
    runs = timed(run, "benchmark.inceptionv3.ptq-int8.tflite-cpu", 4, 6)
    log_power(run, {(3, 7): 4.0})
    one = found(run, tmp_path / "out")[ROW]
    assert one.measured is not None
    assert one.measured.energy_mj == pytest.approx(1000 * 2.5 * 2 / runs, rel=1e-3)


def timed(run: Run, name: str, begin: float, end: float) -> int:
    """Give a benchmark a window in seconds from its start, with as many runs as it holds; return how many."""
    numbers = json.loads((run.inputs[name] / "record.json").read_text())["numbers"]
    mean = next(one["value"] for one in numbers if one["metric"] == "latency_mean_ms")
    runs = round(1000 * (end - begin) / mean)
    edit_latency(run, name, runs=runs, window={"begin_s": STARTED_S + begin, "end_s": STARTED_S + end})
    return runs


def test_work_of_other_steps_is_not_taken_for_idle(run: Run, tmp_path: Path) -> None:
    timed(run, "benchmark.inceptionv3.ptq-int8.tflite-cpu", 4, 6)
    log_power(run, {(0, 12.5): 4.0})  # the whole step, in which the meter sees accuracy being measured too
    one = found(run, tmp_path / "out")[ROW]
    assert one.measured is not None
    assert one.measured.power_w == pytest.approx(2.5, rel=1e-3)


def test_a_window_that_was_not_metered_says_so(run: Run, tmp_path: Path) -> None:
    log_power(run, {})
    timed(run, "benchmark.inceptionv3.float32.tflite-cpu", 10_000, 10_009)
    rows = found(run, tmp_path / "out")
    assert "not above idle" in rows[ROW].why_not
    assert "does not cover" in rows["inceptionv3", "float32", "tflite-cpu"].why_not


@pytest.mark.parametrize(
    ("share", "told"), [(0.98, "clock was set"), (0.995, ""), (1.005, ""), (1.02, "clock was set")]
)
def test_a_window_that_is_not_as_long_as_its_runs_is_refused(run: Run, tmp_path: Path, share: float, told: str) -> None:
    name = "benchmark.inceptionv3.ptq-int8.tflite-cpu"
    runs = timed(run, name, 4, 6)
    edit_latency(
        run, name, window={"begin_s": STARTED_S + 4, "end_s": STARTED_S + 4 + share * runs * SPEEDS["ptq-int8"] / 1000}
    )
    log_power(run, {(0, 12.5): 4.0})
    one = found(run, tmp_path / "out")[ROW]
    assert told in one.why_not
    assert (one.measured is None) == bool(told)


def test_energies_of_two_machines_share_no_table(run: Run, tmp_path: Path) -> None:
    other = {**HOST, "cpu_model": "Other CPU", "fingerprint": 2 * "89abcdef"}
    run.edit("benchmark.inceptionv3.ptq-int8.edgetpu", host=other)
    step = run.step(tmp_path / "out")
    stage.main(step)
    page, text = ((step.out / name).read_text() for name in ("report.html", "report.md"))
    ids = Page(page).ids
    assert len(ids) == len(set(ids))
    assert {"energy", "energy-2"} <= set(ids)
    for machine in ("Example CPU 9000", "Other CPU"):
        assert f"## Energy of one inference on {machine}, 2 cores" in text
    made = energy.tables(energy.energies(step, gather(step)))
    assert [len(table.rows) for table in made] == [2, 1]


def test_a_meter_of_the_stick_says_nothing_of_the_processor(run: Run, tmp_path: Path) -> None:
    log_power(run, {(0, 12.5): 4.0})
    for runtime in ("tflite-cpu", "edgetpu"):
        timed(run, f"benchmark.inceptionv3.ptq-int8.{runtime}", 4, 6)
    rows = found(run, tmp_path / "out", meter_on="edgetpu")
    assert (rows[ROW].measured, rows[ROW].why_not) == (None, "the meter feeds the Edge TPU alone")
    assert rows["inceptionv3", "ptq-int8", "edgetpu"].measured is not None


def test_a_proxy_never_looks_like_a_measurement(run: Run, tmp_path: Path) -> None:
    timed(run, "benchmark.inceptionv3.ptq-int8.edgetpu", 4, 6)
    log_power(run, {(0, 12.5): 4.0})
    step = run.step(tmp_path / "out")
    stage.main(step)
    table = energy.table(energy.energies(step, gather(step)))
    cells = dict(zip(table.plain_columns, table.rows[-1], strict=True))
    proxy = cells["Proxy, not measured: TDP x mean latency, mJ"]
    assert (proxy.kind, proxy.detail) == ("proxy", "proxy")
    assert "not measured" in proxy.title
    assert cells["Measured above idle: energy, mJ"].kind == "number"
    assert cells["Measured above idle: energy, mJ"].detail.startswith("[")
    page, text = ((step.out / name).read_text() for name in ("report.html", "report.md"))
    assert 'class=" proxy"' in page
    assert "A proxy is no measurement" in page
    assert "Proxy, not measured" in text


def test_energies_are_numbers_of_the_record(run: Run, tmp_path: Path) -> None:
    timed(run, "benchmark.inceptionv3.ptq-int8.tflite-cpu", 4, 6)
    log_power(run, {(0, 12.5): 4.0})
    step = run.step(tmp_path / "out", cpu_tdp_w=100.0)
    stage.main(step)
    told = json.loads((step.out / "record.json").read_text())["numbers"]
    of_row = [one for one in told if (one["model"], one["recipe"], one["runtime"]) == ROW]
    assert [one["metric"] for one in of_row] == ["energy_proxy_mj", "energy_measured_mj"]
    assert of_row[0]["value"] == pytest.approx(100 * SPEEDS["ptq-int8"])
    assert of_row[1]["interval"][0] < of_row[1]["value"] < of_row[1]["interval"][1]


def test_a_report_without_benchmarks_has_no_energy(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    run.dataset()
    run.train("inceptionv3", 1)
    step = run.step(tmp_path / "out")
    stage.main(step)
    assert "energies" not in (step.out / "report.html").read_text()
    assert "Energy" not in (step.out / "report.md").read_text()
