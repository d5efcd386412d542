"""Which files nobody beats: a file is on the front when no other is at least as good in accuracy, size and latency.

Latencies of different machines are not set against each other: each machine has a front of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Tuple

from stages.convert.spec import RECIPES
from stages.report.hosts import hosts, together
from stages.report.metric import first_of, title
from stages.report.table import Cell, Table, measured, numbered, word

if TYPE_CHECKING:
    from stages.report.gather import Artifact, Gathered

LATENCY = "latency_p50_ms"


@dataclass(frozen=True)
class Candidate:
    """A file on a runtime: its benchmark, and the step that made the file."""

    benchmark: Artifact
    file: Artifact

    @property
    def score(self) -> str:
        """Name the score that counts for its network."""
        return first_of(self.benchmark.axis("model") or "")

    @property
    def costs(self) -> Tuple[float, float, float]:
        """What should be small: the first score turned round, bytes, and the median latency in ms."""
        right, size, time = self._number(self.score), self.file.number("size_bytes"), self._number(LATENCY)
        return -right, float(size["value"]) if size else 0.0, time

    def is_beaten_by(self, other: Candidate) -> bool:
        """Whether another file is nowhere worse and somewhere better, on the same machine."""
        pairs = list(zip(other.costs, self.costs))
        nowhere_worse, somewhere_better = all(a <= b for a, b in pairs), any(a < b for a, b in pairs)
        return together(self.benchmark, other.benchmark) and nowhere_worse and somewhere_better

    def _number(self, metric: str) -> float:
        told = self.benchmark.number(metric)
        return float(told["value"]) if told else 0.0


def candidates(gathered: Gathered) -> List[Candidate]:
    """All files that were measured in full; a compiled file's size is that of the compiled file."""
    found = []
    for one in gathered.of("benchmark"):
        made_by = "compile" if one.axis("runtime") == "edgetpu" else "convert"
        file = gathered.find(made_by, model=one.axis("model"), recipe=one.axis("recipe"))
        complete = (
            one.number(first_of(one.axis("model") or "")) and one.number(LATENCY) and file and file.number("size_bytes")
        )
        found += [Candidate(one, file)] if file and complete else []
    return found


def front(found: List[Candidate]) -> List[Candidate]:
    """Those that no other beats."""
    return [one for one in found if not any(one.is_beaten_by(other) for other in found)]


def plans(found: List[Candidate]) -> List[str]:
    """Say of each file whose layers got their widths by a plan whether one with the same for all makes it pointless."""
    planned = [one for one in found if _is_planned(one)]
    return [_verdict(one, [other for other in found if not _is_planned(other)]) for one in planned]


def _verdict(one: Candidate, uniform: List[Candidate]) -> str:
    rivals = [other for other in uniform if _same_place(one, other)]
    name = "%s of %s on %s" % tuple(one.benchmark.axis(axis) for axis in ("recipe", "model", "runtime"))
    if not rivals:
        return "%s: no uniform recipe was measured beside it." % name
    better = [other for other in rivals if _dominates(other, one)]
    equal = [other for other in rivals if other.costs[:2] == one.costs[:2]]
    if better:
        return "%s is dominated by %s: no larger, no less accurate, better in one of the two." % (name, _named(better))
    if equal:
        return "%s is no better than %s: as large and as accurate." % (name, _named(equal))
    return "%s is dominated by none of %s: each is larger or less accurate." % (name, _named(rivals))


def _named(found: List[Candidate]) -> str:
    return ", ".join(str(one.benchmark.axis("recipe")) for one in found)


def _is_planned(one: Candidate) -> bool:
    recipe = RECIPES.get(one.benchmark.axis("recipe") or "")
    return recipe is not None and recipe.planned


def _same_place(one: Candidate, other: Candidate) -> bool:
    return all(one.benchmark.axis(axis) == other.benchmark.axis(axis) for axis in ("model", "runtime"))


def _dominates(other: Candidate, one: Candidate) -> bool:
    """Whether a file is nowhere worse in accuracy and size, and somewhere better; the latency has no say."""
    return all(a <= b for a, b in zip(other.costs[:2], one.costs[:2])) and other.costs[:2] != one.costs[:2]


def by_host(found: List[Candidate]) -> List[Tuple[str, List[Candidate]]]:
    """Part the files by the machine that measured them, and name it."""
    machines = hosts(one.benchmark for one in found)
    return [(host.label, [one for one in found if host.measured(one.benchmark)]) for host in machines]


def tables(found: List[Candidate]) -> List[Table]:
    """One table for each machine, named `pareto`, `pareto-2`, ..."""
    return [table(numbered("pareto", place), name, own) for place, (name, own) in enumerate(by_host(found))]


def table(name: str, machine: str, found: List[Candidate]) -> Table:
    """One row for each file: the three numbers, and whether it is on the front."""
    score = " or ".join(sorted({title(one.score) for one in found}))
    titles = ["model", "recipe", "runtime", score, "size, KB", "p50, ms", "on the front"]
    made = Table(name, "Accuracy, size and latency of all files on %s" % machine, titles, words=3)
    best = front(found)
    for one in found:
        made.rows.append(
            [
                *(word(one.benchmark.axis(name)) for name in ("model", "recipe", "runtime")),
                measured(one.benchmark, one.score, "{:.3f}"),
                measured(one.file, "size_bytes", "{:,.0f}", 1e-3),
                measured(one.benchmark, LATENCY, "{:.2f}"),
                Cell("front", 0) if one in best else Cell("", 1),
            ]
        )
    return made
