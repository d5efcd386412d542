"""Whether two measurements of time on one machine agree: by how far single inferences of them spread.

A benchmark leaves mean, deviation and percentiles of its inferences, not each of them. Their standard error would say
how well one measurement knows its own moment; a second one, minutes later, has other clocks, caches and neighbours, and
differs by more. So a rebuilt median counts as equal when it is as near to the original as the slowest hundredth of
either measurement is to its own median, or within a floor that a quiet machine needs; but never farther than a band
that still says something, whatever else the machine did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coralline.verify.subject import UNREADABLE, document
from coralline.verify.verdict import Cause, Interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coralline.store import Artifact

FILE = "latency.json"
UNREST = "unstable"  # how the benchmark begins a remark that names no load
MOST = 0.5  # of the median: a wider band would call everything equal on a busy machine
FLOOR = 0.1  # of the median; measurements behind it: docs/explanation/reproducibility.md


def compare(original: Artifact, rebuilt: Artifact) -> list[Interval]:
    """Compare the medians of single inferences, on the threads asked for and, where both did so, on all."""
    return list(_intervals(_read(original), _read(rebuilt)))


def doubts(original: Artifact, rebuilt: Artifact) -> Cause | None:
    """Say what made one of the measurements doubtful, as the stage itself noted it: load, before mere unrest."""
    noted = [
        f"{remark} ({when})"
        for when, one in (("now", rebuilt), ("when it was made", original))
        for remark in _noted(one)
    ]
    noted.sort(key=lambda remark: remark.startswith(UNREST))
    return Cause(kind="load", text=noted[0]) if noted else None


def _noted(artifact: Artifact) -> list[str]:
    try:
        told = _read(artifact)
        return [str(remark) for part in (told, told.get("all_threads") or {}) for remark in part.get("remarks", ())]
    except UNREADABLE:
        return []


def _read(artifact: Artifact) -> dict[str, Any]:
    """Read the measurement; the record has the same document where the files did not come along."""
    place = artifact.path / FILE
    told: dict[str, Any]
    told = document(place) if place.is_file() else artifact.record["facts"].get("latency", {})
    return told


def _intervals(original: Mapping[str, Any], rebuilt: Mapping[str, Any]) -> Iterator[Interval]:
    for name, then, now in (
        ("latency p50", original, rebuilt),
        ("latency p50 on all threads", original.get("all_threads"), rebuilt.get("all_threads")),
    ):
        if then and now and "milliseconds" in then and "milliseconds" in now:
            yield _interval(name, then["milliseconds"], now["milliseconds"])


def _interval(name: str, then: Mapping[str, float], now: Mapping[str, float]) -> Interval:
    spread = max(FLOOR * then["p50"], then["p99"] - then["p50"], now["p99"] - now["p50"])
    reach = min(MOST * then["p50"], spread)
    return Interval(
        name=name,
        original=then["p50"],
        rebuilt=now["p50"],
        low=then["p50"] - reach,
        high=then["p50"] + reach,
        unit="ms",
        rule=f"p99 - p50 of either measurement, from {100 * FLOOR:g} to {100 * MOST:g} %",
    )
