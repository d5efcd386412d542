"""How a file compares with the float network on labelled images; what is lost, by which two files are compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Dict, Optional, Tuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 1 / 512  # half a step of an 8-bit softmax: what a probability of zero may have been
# Regret up to which nothing more is tried. int8 may cost 0.010 of balanced accuracy. On 600 images a regret of this
# size has a standard error of 0.0015, and some of them may be training images, of which the float network is surer
# than of others: two standard errors, or a loss of 1.6 times the regret (the most that was measured), are within it.
TOLERANCE = 0.006
NOT_TOLD = ("regrets", "divergences", "unseen")  # fields of a score that no document tells as they are
SURE = 2.0  # standard errors from which on a difference on the same images is one


@dataclass(frozen=True)
class Score:
    """How a file does on the judging images.

    `regret` is how much less the float network expects of the file's answers than of its own, on average, in units of
    what the task calls `worth`; `divergence` the mean of KL(float || file) in nats; `agreement` the share of equal
    answers. `regrets` and `divergences` have one entry for each image. `unseen` is the score on those images alone that
    training did not learn from, where they are a part that is large enough to tell.
    """

    worth: ClassVar[str] = "balanced accuracy"

    regret: float
    divergence: float
    cross_entropy: float
    balanced_accuracy: float
    agreement: float
    regrets: NDArray[np.float64] = field(compare=False, repr=False)
    divergences: NDArray[np.float64] = field(compare=False, repr=False)
    unseen: Optional[Score] = field(compare=False, repr=False)

    @property
    def is_within_tolerance(self) -> bool:
        """Whether so little is lost that nothing more need be tried.

        A network is surer of images that it learnt from, and loses less on them: the others may not tell otherwise, by
        more than their noise.
        """
        if self.regret > TOLERANCE or self.unseen is None:
            return self.regret <= TOLERANCE
        noise = float(self.unseen.regrets.std() / np.sqrt(len(self.unseen.regrets)))
        return self.unseen.regret - noise <= TOLERANCE

    @property
    def order(self) -> Tuple[float, float]:
        """Sort by the expected loss; by the divergence where that is equal."""
        return self.regret, self.divergence

    def betters(self, other: Score) -> bool:
        """Whether the divergence is less than another's on the same images, by more than noise, and the regret no more.

        The regret changes with the few images whose answers change: what one try does to it is mostly within its noise.
        """
        surer, surer_noise = _paired(other.divergences, self.divergences)
        lost, lost_noise = _paired(self.regrets, other.regrets)
        return surer > SURE * surer_noise and lost <= lost_noise

    def document(self) -> Dict[str, float]:
        """Describe for `conversion.json`."""
        told = {name: round(float(value), 6) for name, value in vars(self).items() if name not in NOT_TOLD}
        return told if self.unseen is None else {**told, "unseen_regret": round(self.unseen.regret, 6)}


def _paired(ones: NDArray[np.float64], others: NDArray[np.float64]) -> Tuple[float, float]:
    """Mean of the differences, and its standard error."""
    difference = ones - others
    return float(difference.mean()), float(difference.std() / np.sqrt(len(difference)))
