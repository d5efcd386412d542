"""What a model is worth on the test split: counts first, every score from the counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Tuple

import numpy as np
from sklearn.metrics import classification_report, confusion_matrix, f1_score

from stages.accuracy import AMONG_FIRST, among_first, describe_confusion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.train.stream import Stream


@dataclass(frozen=True)
class Scores:
    """Labels and softmax outputs of each test image, in the order of `images.csv`."""

    classes: Tuple[str, ...]
    labels: NDArray[np.int64]
    outputs: NDArray[np.float32]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The class with the largest output."""
        return np.asarray(self.outputs.argmax(axis=1), dtype=np.int64)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Counts: a row for each true class, a column for each predicted one."""
        indices = np.arange(len(self.classes))
        return np.asarray(confusion_matrix(self.labels, self.predicted, labels=indices), dtype=np.int64)

    def as_json(self) -> Dict[str, Any]:
        """All scores as plain values."""
        counts = self.confusion
        recalls = counts.diagonal() / counts.sum(axis=1)
        indices = np.arange(len(self.classes))
        first = among_first(self.outputs, self.labels)
        return {
            "images": len(self.labels),
            "classes": list(self.classes),
            **describe_confusion(counts, self.classes),
            "balanced_accuracy": float(recalls.mean()),
            "accuracy": float(counts.trace() / counts.sum()),
            "macro_f1": float(f1_score(self.labels, self.predicted, labels=indices, average="macro", zero_division=0)),
            **({} if first is None else {AMONG_FIRST: float(first.mean())}),
            "recall": {name: float(recall) for name, recall in zip(self.classes, recalls)},
        }

    def report(self) -> str:
        """Scikit-learn's table of precision, recall and F1 for each class."""
        indices = np.arange(len(self.classes))
        return str(
            classification_report(
                self.labels, self.predicted, labels=indices, target_names=self.classes, digits=4, zero_division=0
            )
        )


def answers(model: Any, stream: Stream) -> NDArray[np.float32]:
    """Run the model over a stream whose order is that of its rows."""
    with stream.guarded():
        outputs = model.predict(stream.dataset, verbose=0)
    return np.asarray(outputs, dtype=np.float32)
