"""The last resorts, where no candidate is within tolerance: ranges searched group by group, then weights fine-tuned.

The judging images are divided: one half leads a search, the other decides whether its result is taken. What is searched
long enough on some images does well on them by chance. The scores that are told are those of all images, as everywhere.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

from stages.convert.bias import absorb
from stages.convert.finetune import STEPS, fine_tune
from stages.convert.greedy import search_ranges
from stages.convert.steps import UnsimulatedError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.contract import Step
    from stages.convert.judge import Judge
    from stages.convert.search import Candidate

LEAST_JUDGED = 60  # with fewer judging images, one or two in each half would decide
SEARCHED, TUNED = "ranges searched", "weights fine-tuned"


class Resorts:
    """What was tried, and what came of it.

    `correcting` are the calibration images that biases are corrected on, `load` gives all of them.
    """

    def __init__(
        self,
        step: Step,
        flatbuffer: bytes,
        judge: Judge,
        correcting: NDArray[np.uint8],
        load: Callable[[], NDArray[np.uint8]],
    ) -> None:
        self._step, self._flatbuffer, self._judge = step, flatbuffer, judge
        self._correcting, self._load = correcting, load
        self._leading, self._deciding = judge.halves()
        self.tried: List[Candidate] = []
        self.documents: List[Dict[str, Any]] = []

    def run(self, best: Candidate, plain: Candidate) -> Candidate:
        """Go on from the best candidate until one is within tolerance; `plain` is its file without bias correction."""
        if best.worse.is_within_tolerance:
            return best
        if self._judge.images < LEAST_JUDGED:
            self._step.warning(
                "no int8 file is within tolerance (expected loss of %s %.3f), and %d judging images are too few to "
                "search on: give more training images, or raise train.validation_share and convert.judging_images"
                % (best.score.worth, best.worse.regret, self._judge.images)
            )
            return best
        weights = absorb(self._flatbuffer, plain.content, best.content)
        best, enough = self._search(best, weights)
        if not enough:
            best, enough = self._tune(best, weights)
        if not (enough or best.worse.is_within_tolerance):
            self._step.warning(
                "int8 is expected to lose %.3f of %s, whatever was tried: see the report's section Quantisation"
                % (best.worse.regret, best.score.worth)
            )
        return best

    def remedies(self) -> List[Dict[str, Any]]:
        """Say what each brought, as the remedies before them do."""
        return [
            {"remedy": one["remedy"] + ("" if one["taken"] else ", not taken"), **one["score"]}
            for one in self.documents
            if "score" in one
        ]

    def _search(self, best: Candidate, weights: bytes) -> Tuple[Candidate, bool]:
        found = search_ranges(self._step, weights, best.ranges, self._leading, self._correcting)
        told = {"tries": found.tries, "scaled": found.scaled}
        if not found.scaled:
            return self._left(best, SEARCHED, told, "no group of ranges made it better")
        made = replace(best, ranges=found.ranges, content=found.content, beyond=(*best.beyond, SEARCHED))
        return self._decided(best, made, SEARCHED, told)

    def _tune(self, best: Candidate, weights: bytes) -> Tuple[Candidate, bool]:
        pixels = self._load()
        told: Dict[str, Any] = {"images": len(pixels), "steps": STEPS}
        try:
            content = fine_tune(self._step, weights, best.ranges, pixels, self._flatbuffer)
        except UnsimulatedError as error:
            return self._left(best, TUNED, told, str(error))
        return self._decided(best, replace(best, content=content, beyond=(*best.beyond, TUNED)), TUNED, told)

    def _decided(self, best: Candidate, made: Candidate, what: str, told: Dict[str, Any]) -> Tuple[Candidate, bool]:
        """Take what was made if it is better, by more than noise, on the images that had no part in making it."""
        made = replace(made, score=self._judge.score(made.content), checked=self._judge.check(made.content))
        before, after = self._deciding.worse(best.content), self._deciding.worse(made.content)
        self.tried.append(made)
        taken = after.betters(before)
        self._tell(
            what, told, taken, None, before=before.document(), after=after.document(), score=made.score.document()
        )
        return (made, after.is_within_tolerance) if taken else (best, False)

    def _left(self, best: Candidate, what: str, told: Dict[str, Any], reason: str) -> Tuple[Candidate, bool]:
        self._tell(what, told, False, reason)
        return best, False

    def _tell(self, what: str, told: Dict[str, Any], taken: bool, reason: Optional[str], **scores: Any) -> None:
        images = {"leading_images": self._leading.images, "deciding_images": self._deciding.images}
        self.documents.append({"remedy": what, "taken": taken, "reason": reason, **told, **images, **scores})
