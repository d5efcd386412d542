"""How planning and the care of a store grow with it: from a thousand artifacts to a hundred thousand.

    .coralline/host/bin/python benchmarks/store.py [--at FOLDER] [--most 100000]

Fills a store with artifacts that hold small files, but have real keys, records and lists of files, as a run of the
default request with one seed after another would leave them, with a run for every hundred. At each power of ten it
times planning the last hundred steps, all of them reused and claimed as a run does, and the commands that care for a
store. Goal: a plan of 100 steps in less than 1 s at 100,000 artifacts. The file system's caches are warm.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import HOME, PROJECT, Command, report, summary
from tabulate import tabulate

from coralline import graph, host, request, runs
from coralline.code import Code
from coralline.engines import choose
from coralline.key import canonical
from coralline.plan import Action, Planner
from coralline.store import FILES, RECORD, Store, content_digest, sealed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coralline.graph import Step
    from coralline.plan import Decision

PLANNED_STEPS = 100
LEAST = 1000
ROUNDS, COMMAND_ROUNDS = 15, 3
COMMANDS = {"runs": ("runs",), "gc": ("gc",), "gc --size": ("gc", "--size", "1T"), "fsck": ("fsck",)}


def main() -> None:
    """Fill the store, stop at each power of ten to measure, and report."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--at", type=Path, default=HOME / "store", help="an empty or absent folder")
    asked.add_argument("--most", type=int, default=100_000, help="artifacts of the largest store")
    options = asked.parse_args()
    shutil.rmtree(options.at, ignore_errors=True)
    filling = Filling(options.at)
    taken: dict[str, list[float]] = {}
    rows = []
    size = LEAST
    while size <= options.most:
        filling.fill(size)
        now = _measured(filling)
        taken |= {f"{name} at {size}": seconds for name, seconds in now.items()}
        rows.append([size, *(f"{summary(seconds)['median_s']:.3f}" for seconds in now.values())])
        size *= 10
    print(tabulate(rows, ["artifacts", f"plan of {PLANNED_STEPS} steps, s", *(f"{name}, s" for name in COMMANDS)]))
    print()
    largest = size // 10
    goal = f"seconds to plan {PLANNED_STEPS} steps at {largest} artifacts (goal < 1)"
    report(
        "store", taken, {goal: summary(taken[f"plan at {largest}"])["median_s"], "runs": len(runs.names(options.at))}
    )


class Filling:
    """A store that is filled as runs would fill it; `latest` are the steps that were added last."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.latest: dict[str, Step] = {}
        self._engine = choose("local", lambda _notice: None)
        self._planner = self.planner(Store(root))
        self._made = 0
        self._seed = 0

    def planner(self, store: Store) -> Planner:
        """Return a planner that knows nothing but what a run leaves."""
        code = Code(PROJECT, self.root / "index" / "code.json")
        return Planner(store=store, engine=self._engine, code=code, external=str)

    def fill(self, size: int) -> None:
        """Add artifacts until there are `size`, with a run for every hundred."""
        while self._made < size:
            run = runs.start(
                self.root, {"models": ["inceptionv3"], "recipes": [], "profile": "quick", "engine": "local"}
            )
            self.latest = {}
            for decision in itertools.islice(self._artifacts(), PLANNED_STEPS):
                label = decision.step.label
                self.latest[label] = decision.step
                entry = {"state": "made", "key": decision.key, "reason": "not made before", "seconds": "1.000"}
                run.steps[label] = entry
            run.ended = True
            run.save()
            self._made += PLANNED_STEPS
        self._planner.code.remember()

    def _artifacts(self) -> Iterator[Decision]:
        """Draw the request with one seed after another, and make each step's artifact."""
        while True:
            self._seed += 1
            decided: dict[str, Decision] = {}
            asked = request.make(model="inceptionv3", settings=(f"dataset.seed={self._seed}",))
            for drawn in graph.draw(asked).values():
                step = _renamed(drawn, f"{self._seed}/", decided)
                if not all(need in decided for need in step.needs):  # a step before it cannot be made here
                    continue
                decision = self._planner.decide(step, decided)
                if decision.action is Action.RUN:
                    write(self.root, decision)
                    decided[step.label] = self._planner.decide(step, decided)
                    yield decision


def write(root: Path, decision: Decision) -> None:
    """Leave an artifact as `Store.publish` does, but for what its files hold; and do not wait for the disk."""
    key, step = str(decision.key), decision.step
    home = root / "objects" / key
    home.mkdir(parents=True)
    files = {}
    for output in step.spec.outputs:
        path = home / output.path
        path.parent.mkdir(parents=True, exist_ok=True)
        content = f"{key} {output.path}\n".encode()
        path.write_bytes(content)
        files[output.path] = [hashlib.sha256(content).hexdigest(), len(content)]
    record: dict[str, Any] = {
        "schema": "coralline.record",
        "version": 1,
        "key": key,
        "digest": content_digest(files),
        "label": step.label,
        "stage": step.spec.name,
        "axes": dict(step.axes),
        "run": "none",
        "key_parts": decision.parts,
        "engine": {"name": "local"},
        "host": {**host.facts(), "fingerprint": host.fingerprint()},
        "threads": 1,
        "started": "2026-01-01T00:00:00Z",
        "seconds": 1.0,
        "numbers": [],
        "facts": {},
        "warnings": [],
    }
    (home / FILES).write_bytes(canonical(files) + b"\n")
    (home / RECORD).write_text(sealed(record), encoding="utf-8")


def _measured(filling: Filling) -> dict[str, list[float]]:
    taken = {"plan": [_planned(filling) for _ in range(ROUNDS + 1)][1:]}
    for name, words in COMMANDS.items():
        command = Command((str(PROJECT / "run"), *words), PROJECT, {"CORALLINE_ARTIFACTS": str(filling.root)})
        taken[name] = [command.run() for _ in range(COMMAND_ROUNDS)]
    return taken


def _planned(filling: Filling) -> float:
    """Seconds to plan a hundred steps that are all in the store, as a run does: with a claim for each."""
    with Store(filling.root).used() as store:
        started = time.perf_counter_ns()
        decided = filling.planner(store).plan(filling.latest)
        seconds = (time.perf_counter_ns() - started) / 1e9
    if [decision.action for decision in decided.values()] != [Action.REUSE] * PLANNED_STEPS:
        sys.exit("not every planned step was reused")
    return seconds


def _renamed(step: Step, prefix: str, known: dict[str, Decision]) -> Step:
    sources = {name: prefix + label for name, label in step.sources.items()}
    gathered = {name: prefix + label for name, label in step.gathered.items() if prefix + label in known}
    return replace(step, label=prefix + step.label, sources=sources, gathered=gathered)


if __name__ == "__main__":
    main()
