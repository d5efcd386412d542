"""Energy from a power meter's CSV: idle subtracted, integrated over a window, with its uncertainty.

The file has the header `time_s,power_w` and one sample a line: Unix seconds and watts. Between two samples power is
taken to run straight (trapezoids). Nothing is extrapolated, and no gap is bridged.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Iterable, List, Sequence, Tuple

import numpy as np

from stages.contract import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Samples = NDArray[np.float64]
    Span = Tuple[float, float]

HEADER = "time_s,power_w"
LARGEST_BYTES = 64 * 2**20  # three million samples; a run of an hour at 500 a second has fewer
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
LARGEST_POWER_W = 1e6
GUARD_S = 10.0  # around a step: a container comes and goes, and a processor cools down
FEWEST_IDLE = 30
FEWEST_INSIDE = 10  # of a window: with fewer its ends decide the integral
PARTS = 3  # of the idle samples, whose means show how far idle power wanders
WIDEST_GAP = 5.0  # median sampling intervals
COVERAGE = 1.96  # standard deviations of a 95 % interval
FORM = "the first line is %s, every other one two numbers: Unix seconds and watts" % HEADER


class WindowError(Exception):
    """A window cannot be measured with these samples; the message says why."""


@dataclass(frozen=True)
class Readings:
    """Samples of power in the order of time; `time_s` increases."""

    time_s: Samples
    power_w: Samples


@dataclass(frozen=True)
class Idle:
    """Power before the first step and after the last: mean, spread of single samples, by how much the mean wanders."""

    mean_w: float
    spread_w: float
    wander_w: float
    samples: int


@dataclass(frozen=True)
class Measured:
    """Energy of one inference above idle with its standard uncertainty; `power_w` is the window's mean above idle."""

    energy_mj: float
    uncertainty_mj: float
    power_w: float
    samples: int

    @property
    def interval_mj(self) -> Span:
        """The 95 % interval."""
        width = COVERAGE * self.uncertainty_mj
        return self.energy_mj - width, self.energy_mj + width


def read(path: Path) -> Readings:
    """Read a meter's file.

    Raises:
        InputError: it is no such file, too large, or a line is wrong; the message names the first one.
    """
    if path.stat().st_size > LARGEST_BYTES:
        raise _wrong("is larger than %d MiB" % (LARGEST_BYTES >> 20), "keep the time of the run, or sample less often")
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise _wrong("is no text: %s" % error.reason) from error
    if "".join(lines[0].split()) != HEADER:
        raise _wrong("line 1 is %r" % _short(lines[0]))
    samples = list(_samples(lines))
    if not samples:
        raise _wrong("has no samples")
    time_s, power_w = np.asarray(samples, np.float64).T
    return Readings(time_s, power_w)


def _samples(lines: List[str]) -> Iterable[Span]:
    last = -math.inf
    for place, line in enumerate(lines[1:-1] if lines[-1] == "" else lines[1:], start=2):
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 2 or not all(NUMBER.fullmatch(field) for field in fields):
            raise _wrong("line %d is %r" % (place, _short(line)))
        time_s, power_w = map(float, fields)
        if not (math.isfinite(time_s) and abs(power_w) <= LARGEST_POWER_W):
            raise _wrong("line %d is out of range: %r" % (place, _short(line)))
        if time_s <= last:
            raise _wrong("line %d: time does not increase" % place, "sort it, and let one logger write it")
        last = time_s
        yield time_s, power_w


def idle(readings: Readings, busy: Sequence[Span]) -> Idle:
    """Find the power of the samples before the first and after the last step of the log, `GUARD_S` away from any.

    Between two steps images may be built, and attempts fail that no record tells of: none of that is idle.

    Raises:
        InputError: there are fewer than `FEWEST_IDLE`.
    """
    quiet = np.ones(len(readings.time_s), bool)
    for begin_s, end_s in [*busy, *_whole([span for span in busy if _is_logged(readings, span)])]:
        low, high = np.searchsorted(readings.time_s, (begin_s - GUARD_S, end_s + GUARD_S))
        quiet[low:high] = False
    power_w = readings.power_w[quiet]
    if len(power_w) < FEWEST_IDLE:
        raise _wrong(
            "has %d idle samples, %d are needed" % (len(power_w), FEWEST_IDLE),
            "let it log for a minute before the first step and after the last, %g s away from any" % GUARD_S,
        )
    spread = float(power_w.std(ddof=1))
    parts = [part.mean() for part in np.array_split(power_w, PARTS)]
    wander = max(float(np.std(parts, ddof=1)), spread / math.sqrt(len(power_w)))
    return Idle(float(power_w.mean()), spread, wander, len(power_w))


def _is_logged(readings: Readings, span: Span) -> bool:
    return bool(readings.time_s[0] <= span[1] and span[0] <= readings.time_s[-1])


def _whole(spans: Sequence[Span]) -> List[Span]:
    """Return the one span from the first beginning to the last end, if there are any."""
    return [(min(begin_s for begin_s, _ in spans), max(end_s for _, end_s in spans))] if spans else []


def measure(readings: Readings, quiet: Idle, window: Span, runs: int) -> Measured:
    """Integrate power above idle over a window of `runs` inferences.

    The uncertainty is of the idle power (how it wanders, and the noise of the window's own samples, taken to be that of
    idle ones) and of the window's ends, between two samples each: any course between the two is as likely.

    Raises:
        WindowError: the samples do not cover it, or have a gap, or are too few; or it is not above idle.
    """
    time_s, power_w = _inside(readings, window)
    duration_s = window[1] - window[0]
    inside = len(time_s) - 2
    ends_s = [window[0], *time_s[1:-1], window[1]]
    ends_w = np.interp(ends_s, time_s, power_w)
    joules = float(((ends_w[1:] + ends_w[:-1]) / 2 * np.diff(ends_s)).sum()) - quiet.mean_w * duration_s
    level_j = math.hypot(quiet.wander_w, quiet.spread_w / math.sqrt(inside)) * duration_s
    uncertainty_j = math.hypot(level_j, _end_j(time_s[:2], power_w[:2]), _end_j(time_s[-2:], power_w[-2:]))
    if joules <= COVERAGE * uncertainty_j:
        raise WindowError("power is not above idle: the meter may feed another device, or idle was not idle")
    return Measured(1000 * joules / runs, 1000 * uncertainty_j / runs, joules / duration_s, inside)


def _inside(readings: Readings, window: Span) -> Tuple[Samples, Samples]:
    """Return the samples inside a window and the nearest one on either side."""
    before = int(np.searchsorted(readings.time_s, window[0], side="right")) - 1
    after = int(np.searchsorted(readings.time_s, window[1], side="left"))
    if before < 0 or after == len(readings.time_s):
        raise WindowError("the meter's file does not cover it")
    inside = after - before - 1
    if inside < FEWEST_INSIDE:
        raise WindowError(
            "the meter sampled it %d times, %d are needed: measure longer with --set benchmark.min_seconds=SECONDS"
            % (max(0, inside), FEWEST_INSIDE)
        )
    time_s = readings.time_s[before : after + 1]
    gap_s = float(np.diff(time_s).max())
    if gap_s > WIDEST_GAP * float(np.median(np.diff(readings.time_s))):
        raise WindowError("the meter's samples have a gap of %.3g s in it" % gap_s)
    return time_s, readings.power_w[before : after + 1]


def _end_j(time_s: Samples, power_w: Samples) -> float:
    """Give the standard deviation of a uniform distribution between the two extreme courses (GUM, 4.3.7)."""
    return abs(float((power_w[1] - power_w[0]) * (time_s[1] - time_s[0]))) / math.sqrt(12)


def _short(line: str) -> str:
    return line.rstrip("\r")[:40]


def _wrong(what: str, remedy: str = FORM) -> InputError:
    return InputError("the meter's file %s" % what, remedy)
