"""Scores from counts, and the files that hold them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from stages.images import Row
from stages.predictions import write_predictions
from stages.train.figure import draw_confusion
from stages.train.outputs import write_test
from stages.train.scores import Scores

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = ("a", "b", "c")


def scores(labels: list[int], predicted: list[int]) -> Scores:
    return Scores(CLASSES, np.array(labels), np.eye(3, dtype=np.float32)[predicted])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=50))
def test_scores_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    labels = [0, 1, 2, *(label for label, _ in pairs)]  # the data set promises every class
    predicted = [0, 0, 0, *(guess for _, guess in pairs)]
    told = scores(labels, predicted).as_json()
    assert told["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert told["accuracy"] == pytest.approx(accuracy_score(labels, predicted))
    assert np.sum(told["confusion_matrix"]) == told["images"] == len(labels)


def test_recall_and_f1_by_hand() -> None:
    told = scores([0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 0, 0]).as_json()
    assert told["recall"] == {"a": 0.5, "b": 1.0, "c": 0.0}
    assert told["balanced_accuracy"] == 0.5
    assert told["macro_f1"] == pytest.approx((0.4 + 0.8 + 0.0) / 3)


def test_the_files_hold_the_scores(tmp_path: Path) -> None:
    one = Scores(CLASSES, np.array([0, 1, 2]), np.array([[0.1, 0.7, 0.2]] * 3, dtype=np.float32))
    write_test(tmp_path, one, "title", {"best_epoch": 3})
    rows = [Row(name, label, "") for label, name in enumerate(("x.png", "y.png", "z.png"))]
    write_predictions(tmp_path / "predictions.csv", rows, one.outputs)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert (metrics["split"], metrics["best_epoch"]) == ("test", 3)
    lines = (tmp_path / "predictions.csv").read_text().splitlines()
    assert lines[0] == "path,label,predicted,p0,p1,p2"
    assert lines[1].startswith("x.png,0,1,0.1")
    assert np.float32(lines[1].split(",")[3]) == np.float32(0.1)  # nine digits bring the float back


def test_the_picture_is_the_same_bytes_for_the_same_counts(tmp_path: Path) -> None:
    counts = np.array([[5, 1], [0, 0]])
    for name in ("one.png", "two.png"):
        draw_confusion(tmp_path / name, counts, ["a", "b"], "title")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
