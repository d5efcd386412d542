"""A request that is carried out while harm is done to it again and again, and what must hold after each harm."""

from __future__ import annotations

import collections
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab import PATIENCE_S, Lab

if TYPE_CHECKING:
    import random
    import subprocess
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.chaos.harm import Harm

NOT_OURS = "Traceback"  # a user's trouble is told in two lines
OFTEN = 5  # harm comes so many times in the time of an undisturbed run, on average


@dataclass
class Found:
    """What an ordeal brought: harm done by kind, runs that ended well, and every promise that was broken."""

    harms: collections.Counter[str] = field(default_factory=collections.Counter)
    finished: int = 0
    broken: list[str] = field(default_factory=list)


class Ordeal:
    """`lab` is where the request is carried out with `words`; `expected` are the digests of an undisturbed run."""

    def __init__(
        self, lab: Lab, words: tuple[str, ...], expected: Mapping[str, str], lasts_s: float, rng: random.Random
    ) -> None:
        self._lab, self._words, self._expected, self._rng = lab, words, expected, rng
        self._mean_s = lasts_s / OFTEN
        self._kept: dict[str, str] = {}
        self.found = Found()

    def suffer(self, count: int, harms: Mapping[str, Harm], tell: Callable[[Found], None]) -> Found:
        """Do harm `count` times, then let the request end."""
        while self.found.harms.total() < count:
            name = self._rng.choice(sorted(harms))
            process = self._lab.start_all(*self._words)
            if self._strikes(process, harms[name]):
                self.found.harms[name] += 1
                self._check(name, process)
            else:
                self._check_finished(process)
            tell(self.found)
        self._check_finished(self._lab.start_all(*self._words))
        return self.found

    def _strikes(self, process: subprocess.Popen[str], harm: Harm) -> bool:
        """Wait for a random moment and do harm, unless the run ends before."""
        until = time.monotonic() + self._rng.expovariate(1 / self._mean_s)
        while process.poll() is None:
            if time.monotonic() >= until and harm(self._lab, process, self._rng):
                return True
            time.sleep(0.02)
        return False

    def _check(self, name: str, process: subprocess.Popen[str]) -> None:
        said = _said(process)
        if process.returncode not in (-9, 0) and NOT_OURS in said:
            self._break(f"{name}: a traceback: {said[-2000:]}")
        if not self._lab.nothing_is_left(10):
            self._break(f"{name}: still running: {self._lab.left_running()}")
        self._check_store(name)

    def _check_store(self, name: str) -> None:
        """Hold the store to its promise: what was finished is there, byte for byte."""
        if damaged := self._lab.damaged():
            self._break(f"{name}: damaged: {damaged}")
        there = {home.name: str(self._lab.record(home.name)["digest"]) for home in self._homes()}
        lost = {key for key, digest in self._kept.items() if there.get(key) != digest}
        if lost:
            self._break(f"{name}: lost or another: {sorted(lost)}")
        self._kept = there

    def _check_finished(self, process: subprocess.Popen[str]) -> None:
        """Demand of an undisturbed run that it ends well, in the same bytes, and leaves nothing; then begin anew."""
        said = _said(process)
        if process.returncode != 0:
            self._break(f"a run ended with {process.returncode}: {said[-2000:]}")
            return
        self._check_store("a run that ended")
        if self._lab.digests() != self._expected:
            self._break(f"other digests: {self._lab.digests()}")
        if left := self._lab.containers():
            self._break(f"containers are left: {left}")
        self.found.finished += 1
        self._kept = {}
        shutil.rmtree(self._lab.artifacts)

    def _homes(self) -> list[Path]:
        return sorted((self._lab.artifacts / "objects").glob("*"))

    def _break(self, what: str) -> None:
        self.found.broken.append(what)


def _said(process: subprocess.Popen[str]) -> str:
    with process:
        _, said = process.communicate(timeout=PATIENCE_S)
    return said
