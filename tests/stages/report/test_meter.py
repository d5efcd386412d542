"""A power meter's file: what is refused and where, and the energy of power curves that are known exactly."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.contract import InputError
from stages.report import meter

if TYPE_CHECKING:
    from pathlib import Path

BEGIN, END = 1_767_225_600.0 + 100, 1_767_225_600.0 + 130
IDLE_W, BUSY_W = 1.5, 4.0
RUNS = 600


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "power.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def log(times: list[float], watts: list[float]) -> str:
    return "\n".join([meter.HEADER, *(f"{time!r},{power!r}" for time, power in zip(times, watts, strict=True)), ""])


def stepped() -> meter.Readings:
    """Idle, 4 W from BEGIN to END, idle again, from a clock that started 100 s before; samples fall on both edges."""
    time_s = np.arange(2301) / 10 + (BEGIN - 100)
    return meter.Readings(time_s, np.where((time_s >= BEGIN) & (time_s <= END), BUSY_W, IDLE_W))


def measured(readings: meter.Readings, window: tuple[float, float] = (BEGIN, END)) -> meter.Measured:
    return meter.measure(readings, meter.idle(readings, [(BEGIN - 5, END + 5)]), window, RUNS)


def test_a_step_of_power_gives_its_exact_energy() -> None:
    found = measured(stepped())
    assert found.energy_mj == pytest.approx(1000 * (BUSY_W - IDLE_W) * (END - BEGIN) / RUNS, rel=1e-9)
    assert found.power_w == pytest.approx(BUSY_W - IDLE_W, rel=1e-9)
    assert found.uncertainty_mj == pytest.approx(0.0, abs=1e-6)  # no noise, and a sample on either edge


def test_ends_between_samples_are_interpolated_and_their_doubt_is_told() -> None:
    found = measured(stepped(), (BEGIN - 0.05, END + 0.05))
    # Half a sampling interval outside either edge: a ramp from the mean of both powers, 0.05 s long.
    extra = 2 * 0.05 * ((BUSY_W + (BUSY_W + IDLE_W) / 2) / 2 - IDLE_W)
    assert found.energy_mj == pytest.approx(1000 * ((BUSY_W - IDLE_W) * (END - BEGIN) + extra) / RUNS, rel=1e-6)
    one_end = (BUSY_W - IDLE_W) * 0.1 / math.sqrt(12)
    assert found.uncertainty_mj == pytest.approx(1000 * math.sqrt(2) * one_end / RUNS, rel=1e-3)


def test_a_ramp_is_integrated_by_trapezoids() -> None:
    time_s = np.arange(0.0, 200.0, 0.5)
    power_w = np.where((time_s >= 80) & (time_s <= 120), 2.0 + (time_s - 80) / 10, 2.0)
    readings = meter.Readings(time_s, power_w)
    found = meter.measure(readings, meter.idle(readings, [(70, 130)]), (80.25, 119.75), 1)
    assert found.energy_mj == pytest.approx(1000 * (39.75**2 / 2 - 0.25**2 / 2) / 10, rel=1e-9)


def test_noise_widens_the_interval_by_as_much_as_it_moves_the_energy() -> None:
    true_mj = 1000 * (BUSY_W - IDLE_W) * (END - BEGIN) / RUNS
    off = []
    for seed in range(200):
        quiet = stepped()
        noise = 0.3 * np.random.default_rng(seed).standard_normal(len(quiet.time_s))
        found = measured(meter.Readings(quiet.time_s, quiet.power_w + noise))
        off.append((found.energy_mj - true_mj) / found.uncertainty_mj)
    # Tolerance: 95 % of 200 within the interval, give or take three binomial deviations.
    assert 0.90 <= np.mean(np.abs(off) <= meter.COVERAGE) <= 1.0
    assert 0.5 < np.std(off) < 1.3


def test_what_happens_between_two_steps_is_not_idle() -> None:
    time_s = np.arange(3000) / 10
    building = (time_s > 120) & (time_s < 160)  # an image, or an attempt that failed, far from both steps
    found = meter.idle(meter.Readings(time_s, np.where(building, BUSY_W, IDLE_W)), [(90, 100), (180, 200)])
    assert (found.mean_w, found.wander_w) == (IDLE_W, 0.0)
    assert abs(found.samples - 10 * (80 + 90)) <= 2


def test_a_step_before_the_log_leaves_the_time_until_the_next_one_idle() -> None:
    time_s = np.arange(1000.0, 1100.0, 0.1)
    readings = meter.Readings(time_s, np.full(len(time_s), IDLE_W))
    assert abs(meter.idle(readings, [(10, 20), (1050, 1090)]).samples - 10 * 40) <= 2
    assert abs(meter.idle(readings, [(10, 996), (1050, 1090)]).samples - 10 * (40 - 6)) <= 2


def test_idle_is_what_is_far_from_every_step() -> None:
    readings = stepped()
    found = meter.idle(readings, [(BEGIN, END)])
    assert found.mean_w == IDLE_W
    assert found.spread_w == 0.0
    near = (readings.time_s > BEGIN - meter.GUARD_S) & (readings.time_s < END + meter.GUARD_S)
    assert abs(found.samples - int((~near).sum())) <= 2
    with pytest.raises(InputError, match="idle samples"):
        meter.idle(readings, [(BEGIN - 100, END + 95)])


def test_idle_power_that_wanders_makes_the_energy_doubtful() -> None:
    readings = stepped()
    drifting = meter.Readings(readings.time_s, readings.power_w + np.linspace(0.0, 1.0, len(readings.time_s)))
    assert measured(drifting).uncertainty_mj > 100 * measured(readings).uncertainty_mj


@pytest.mark.parametrize(
    ("window", "reason"),
    [
        ((BEGIN - 200, END), "does not cover"),
        ((BEGIN, END + 200), "does not cover"),
        ((END + 500, END + 530), "does not cover"),
        ((BEGIN, BEGIN + 0.5), "sampled it 4 times, 10 are needed"),
        ((BEGIN - 60, BEGIN - 30), "not above idle"),
    ],
)
def test_a_window_that_cannot_be_measured_says_why(window: tuple[float, float], reason: str) -> None:
    with pytest.raises(meter.WindowError, match=reason):
        measured(stepped(), window)


def test_a_gap_in_a_window_is_not_bridged() -> None:
    readings = stepped()
    kept = (readings.time_s < BEGIN + 10) | (readings.time_s > BEGIN + 12)
    holed = meter.Readings(readings.time_s[kept], readings.power_w[kept])
    with pytest.raises(meter.WindowError, match=r"gap of 2\.\d* s"):
        measured(holed)
    assert measured(holed, (BEGIN + 13, END)).power_w == pytest.approx(BUSY_W - IDLE_W)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1"),
        ("1.0,2.0\n2.0,2.0\n", "line 1"),
        ("time,power\n1,2\n", "line 1"),
        ("time_s,power_w\n", "no samples"),
        ("time_s,power_w\n1,2\n2\n", "line 3 is '2'"),
        ("time_s,power_w\n1,2,3\n", "line 2"),
        ("time_s,power_w\n1,2\n\n3,4\n", "line 3"),
        ("time_s,power_w\n1,nan\n", "line 2"),
        ("time_s,power_w\n1,.\n", "line 2"),
        ("time_s,power_w\n1e99,1\n1_0,1\n", "line 3"),
        ("time_s,power_w\n1,1e7\n", "line 2 is out of range"),
        ("time_s,power_w\n1,2\n1,3\n", "line 3: time does not increase"),
        ("time_s,power_w\n5,2\n4,3\n", "line 3: time does not increase"),
        ("time_s,power_w\n\u0661,2\n", "line 2"),
        (b"time_s,power_w\n1,\xff\n", "no text"),
        (b"PK\x03\x04" + bytes(100), "line 1"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str | bytes, reason: str) -> None:
    with pytest.raises(InputError) as refused:
        meter.read(written(tmp_path, text))
    assert reason in refused.value.message
    assert refused.value.remedy


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = written(tmp_path, meter.HEADER)
    with path.open("r+b") as file:
        file.truncate(meter.LARGEST_BYTES + 1)
    with pytest.raises(InputError, match="larger than 64 MiB"):
        meter.read(path)


def test_spaces_windows_line_ends_a_byte_order_mark_and_a_missing_last_end_are_fine(tmp_path: Path) -> None:
    found = meter.read(written(tmp_path, "\ufefftime_s, power_w\r\n1.5, -.25\r\n2.5e0, +3."))
    assert found.time_s.tolist() == [1.5, 2.5]
    assert found.power_w.tolist() == [-0.25, 3.0]


FINITE = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)
MOMENTS = st.floats(min_value=0, max_value=4e9, allow_nan=False)
TIMES = st.lists(MOMENTS, min_size=1, max_size=50, unique=True).map(sorted)


@given(TIMES, st.data())
def test_what_a_logger_wrote_is_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, times: list[float], data: st.DataObject
) -> None:
    watts = data.draw(st.lists(FINITE, min_size=len(times), max_size=len(times)))
    found = meter.read(written(tmp_path_factory.mktemp("log"), log(times, watts)))
    assert found.time_s.tolist() == times
    assert found.power_w.tolist() == watts


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: f"{meter.HEADER}\n{text}".encode())))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = written(tmp_path_factory.mktemp("log"), content)
    try:
        found = meter.read(path)
    except InputError as refused:
        told = refused.message
    else:
        told = "the meter's file is fine"
        assert (np.diff(found.time_s) > 0).all()
        assert np.isfinite(found.power_w).all()
    assert told.startswith("the meter's file ")
