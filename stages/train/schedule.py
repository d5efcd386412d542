"""When to lower the learning rate, when to stop and which epoch is best: Keras' callbacks as plain, storable state.

Same rules as `ReduceLROnPlateau` (min_delta 1e-4, no cooldown), `EarlyStopping` (min_delta 0) and `ModelCheckpoint`
with `save_best_only`, all on the validation loss; Keras' own keep their state where a resumed training cannot set it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

if TYPE_CHECKING:
    from stages.train.settings import Limits

PLATEAU_DELTA = 1e-4  # Keras' default min_delta of ReduceLROnPlateau


@dataclass
class Schedule:
    """The state after `epoch` epochs; epochs count from 1, and `None` stands for no loss seen yet."""

    learning_rate: float
    epoch: int = 0
    best_epoch: int = 0
    best_loss: Optional[float] = None
    stop_wait: int = 0
    plateau_loss: Optional[float] = None
    plateau_wait: int = 0

    def begin(self, loss: float) -> None:
        """Take the validation loss before the first epoch: what no epoch betters is kept as it was.

        A loss that is no number is none: the ranges of some simulations are not yet set.
        """
        if math.isfinite(loss):
            self.best_loss = loss

    def update(self, loss: float, settings: Limits) -> None:
        """Take the validation loss of the next epoch."""
        self.epoch += 1
        self.stop_wait += 1
        if self.best_loss is None or loss < self.best_loss:
            self.best_loss, self.best_epoch, self.stop_wait = loss, self.epoch, 0
        self._watch_plateau(loss, settings)

    def is_over(self, settings: Limits) -> bool:
        """Whether no further epoch is to be trained."""
        return self.epoch >= settings.epochs or self.stopped_early(settings)

    def stopped_early(self, settings: Limits) -> bool:
        """Whether the validation loss has not improved for too long."""
        return self.stop_wait >= settings.stop_patience

    def as_json(self) -> Dict[str, Any]:
        """Give the state as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Schedule:
        """Take back what `as_json` gave."""
        return cls(**told)

    def _watch_plateau(self, loss: float, settings: Limits) -> None:
        if self.plateau_loss is None or loss < self.plateau_loss - PLATEAU_DELTA:
            self.plateau_loss, self.plateau_wait = loss, 0
            return
        self.plateau_wait += 1
        if self.plateau_wait >= settings.reduce_patience:
            self.learning_rate *= settings.reduce_factor
            self.plateau_wait = 0
