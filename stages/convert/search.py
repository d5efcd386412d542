"""Looks for the int8 file that says what the float network says: candidates are made, scored, and the best one kept.

A candidate is a range rule with or without sequential bias correction. Which one wins differs between networks, between
trainings of one and between draws of calibration images, so none is fixed: each draw is judged anew. What is tried
where none keeps what the float network can do stands in resort.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Set, Tuple

from stages.convert.bias import correct_biases
from stages.convert.int8 import quantise
from stages.convert.ranges import RULES, Ranges, clip_swish
from stages.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.contract import Step
    from stages.convert.judge import Judge
    from stages.convert.ranges import Statistics
    from stages.tasks.score import Score

CORRECTED = 3  # of the rules are tried with bias correction: those that did best without


@dataclass(frozen=True)
class Candidate:
    """One int8 file: how its ranges came about, and how it did; `beyond` are the last resorts that were taken.

    `score` is that of XNNPACK's kernels, `checked` that of the built-in ones, where these were asked.
    """

    rule: str
    corrected: bool
    ranges: Ranges
    content: bytes
    score: Score
    checked: Optional[Score] = None
    beyond: Tuple[str, ...] = ()

    @property
    def worse(self) -> Score:
        """Whichever of its scores is worse."""
        return self.score if self.checked is None else max(self.score, self.checked, key=lambda score: score.order)

    @property
    def order(self) -> Tuple[float, float]:
        """Sort as the worse score is."""
        return self.worse.order

    def document(self) -> Dict[str, Any]:
        """Describe for `conversion.json`."""
        beyond = {"beyond": list(self.beyond)} if self.beyond else {}
        checked = {"built_in": self.checked.document()} if self.checked else {}
        return {"ranges": self.rule, "bias_correction": self.corrected, **beyond, **self.score.document(), **checked}


class Search:
    """The candidates of one network and one draw of calibration images; `pixels` are what biases are corrected on."""

    def __init__(self, step: Step, flatbuffer: bytes, judge: Judge, pixels: NDArray[np.uint8], swish: Set[int]) -> None:
        self._flatbuffer, self._judge, self._pixels, self._swish = flatbuffer, judge, pixels, swish
        self._progress = Progress(step, len(RULES) + CORRECTED, "candidate", "quantising")
        self.tried: List[Candidate] = []

    def run(self, statistics: Statistics) -> Candidate:
        """Try every rule, the best ones with bias correction; return the best candidate."""
        for rule, make in RULES.items():
            ranges = clip_swish(make(statistics), self._swish)
            self._add(rule, ranges, quantise(self._flatbuffer, ranges), corrected=False)
        for one in sorted(self.tried, key=lambda one: one.order)[:CORRECTED]:
            content = correct_biases(one.content, self._flatbuffer, self._pixels)
            self._add(one.rule, one.ranges, content, corrected=True)
        return self._best()

    def plainly(self, rule: str) -> Candidate:
        """Find the candidate of a rule without bias correction."""
        return next(one for one in self.tried if one.rule == rule and not one.corrected)

    def _best(self) -> Candidate:
        """Find the candidate whose worse score is least: only those that can still be it are run on other kernels."""
        left = sorted(self.tried, key=lambda one: one.order)
        best: Optional[Candidate] = None
        for number, one in enumerate(left):
            if best is not None and best.order <= one.order:
                break
            left[number] = checked = replace(one, checked=self._judge.check(one.content))
            best = checked if best is None or checked.order < best.order else best
        self.tried = left
        assert best is not None  # noqa: S101 - there are rules
        return best

    def _add(self, rule: str, ranges: Ranges, content: bytes, *, corrected: bool) -> None:
        self.tried.append(Candidate(rule, corrected, ranges, content, self._judge.score(content)))
        self._progress.advance()
