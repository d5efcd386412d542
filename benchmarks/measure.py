"""What the benchmarks share: commands run in turns, their medians and spreads, one table and one JSON line.

Competitors take turns round by round, so that what else happens on the machine falls on all of them alike.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

PROJECT = Path(__file__).resolve().parent.parent
HOME = PROJECT / ".coralline" / "benchmarks"
sys.path.insert(0, str(PROJECT))

from coralline import host  # noqa: E402
from coralline.environments import Environment  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Command:
    """One command to be timed, and where; `before` is called untimed first, `says` must be in what it prints."""

    words: tuple[str, ...]
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], object] = lambda: None
    says: str = ""

    def run(self) -> float:
        """Run it and return the seconds it took; what is unexpected ends the benchmark."""
        self.before()
        environment = {**os.environ, **self.variables}
        started = time.perf_counter_ns()
        done = subprocess.run(
            self.words,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        seconds = (time.perf_counter_ns() - started) / 1e9
        said = done.stdout.decode(errors="replace")
        if done.returncode != 0 or self.says not in said:
            sys.exit(f"{' '.join(self.words)}\n{said}\nended with {done.returncode}, wanted {self.says!r}")
        return seconds


def in_turns(commands: Mapping[str, Command], rounds: int) -> dict[str, list[float]]:
    """Seconds of each command in each round, after one round that does not count (caches of the disk, of Python)."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            seconds = command.run()
            if turn:
                taken[name].append(seconds)
    return taken


def summary(seconds: Sequence[float]) -> dict[str, float | int]:
    """Count, median and spread (the middle half of all values) of what was timed, in seconds."""
    low, middle, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return {
        "n": len(seconds),
        "median_s": round(middle, 4),
        "spread_s": round(high - low, 4),
        "least_s": round(min(seconds), 4),
    }


def report(name: str, taken: Mapping[str, Sequence[float]], figures: Mapping[str, Any]) -> None:
    """Print the table for people and, as the last line, everything as JSON."""
    from tabulate import tabulate

    told = {label: summary(seconds) for label, seconds in taken.items()}
    print(
        tabulate([[label, *row.values()] for label, row in told.items()], ["", "n", "median s", "spread s", "least s"])
    )
    print()
    print(tabulate([[label, value] for label, value in figures.items()], ["figure", "value"]))
    document = {
        "schema": "coralline.benchmark",
        "version": 1,
        "benchmark": name,
        "machine": host.facts(),
        "load_before": round(LOAD, 2),
        "commit": commit(),
        "seconds": told,
        "figures": figures,
    }
    print(json.dumps(document, sort_keys=True))


def commit() -> str:
    """Return the commit of this checkout, with `+` when files differ from it; `unknown` outside git."""
    told = _git("rev-parse", "HEAD")
    return "unknown" if told is None else told + ("+" if _git("status", "--porcelain") else "")


def environment(name: str, *requirements: str) -> Path:
    """Make a virtual environment with pinned packages, once; return its folder of programs."""
    path = HOME / "environments" / "-".join((name, *requirements)).replace("==", "-")
    if not path.exists():
        print(f"setting up {name} (once)", file=sys.stderr)
        beside = path.with_name(path.name + ".making")
        uv = [str(Path(sys.executable).parent / "uv"), "--no-config", "-q"]
        subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, "--relocatable", str(beside)], check=True)
        subprocess.run([*uv, "pip", "install", "--python", str(beside), *requirements], check=True)
        beside.rename(path)
    return path / "bin"


def _git(*words: str) -> str | None:
    done = subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


LOAD = os.getloadavg()[0]  # before the benchmark itself puts load on the machine

__all__ = ["HOME", "PROJECT", "Command", "Environment", "commit", "environment", "in_turns", "report", "summary"]
