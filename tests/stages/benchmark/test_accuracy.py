"""Accuracy against scikit-learn's, and intervals against what is known of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from stages import accuracy
from stages.accuracy import evaluate

CLASSES = ("a", "b", "c")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=60))
def test_every_metric_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    labels, predicted = (list(column) for column in zip(*pairs, strict=True))
    found = evaluate(labels, predicted, CLASSES)
    present = sorted(set(labels))
    either = sorted({*labels, *predicted})
    recalls = recall_score(labels, predicted, labels=[0, 1, 2], average=None, zero_division=0)
    assert found.confusion == confusion_matrix(labels, predicted, labels=[0, 1, 2]).tolist()
    assert found.values["accuracy"] == pytest.approx(accuracy_score(labels, predicted))
    assert found.values["balanced_accuracy"] == pytest.approx(recalls[present].mean())
    assert found.values["macro_f1"] == pytest.approx(f1_score(labels, predicted, labels=either, average="macro"))
    assert [found.values[f"recall_{name}"] for name in CLASSES] == pytest.approx(recalls.tolist())


def test_the_interval_of_a_share_is_the_binomial_one() -> None:
    labels = [0] * 400
    predicted = [0] * 300 + [1] * 100
    low, high = evaluate(labels, predicted, CLASSES).intervals["accuracy"]
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    # 2,000 resamples place a bound of a percentile interval within some 5 % of its half width.
    assert (low, high) == (pytest.approx(0.75 - half, abs=0.004), pytest.approx(0.75 + half, abs=0.004))


def test_the_interval_is_the_same_every_time() -> None:
    rng = np.random.default_rng(1)
    labels, predicted = rng.integers(0, 3, 200).tolist(), rng.integers(0, 3, 200).tolist()
    assert evaluate(labels, predicted, CLASSES) == evaluate(labels, predicted, CLASSES)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    labels, predicted = rng.integers(0, 3, 200).tolist(), rng.integers(0, 3, 200).tolist()
    whole = evaluate(labels, predicted, CLASSES)
    monkeypatch.setattr(accuracy, "CHUNK_ELEMENTS", 1000)
    assert evaluate(labels, predicted, CLASSES) == whole


def test_a_faultless_network_has_an_interval_without_width() -> None:
    found = evaluate([0, 1, 2] * 5, [0, 1, 2] * 5, CLASSES)
    assert found.intervals["balanced_accuracy"] == (1.0, 1.0)


def test_the_document_names_scores_as_the_train_stage_does() -> None:
    document = evaluate([0, 1, 2, 2], [0, 1, 2, 1], CLASSES).document()
    assert document.keys() >= {"images", "classes", "confusion_matrix", "balanced_accuracy", "accuracy", "macro_f1"}
    assert document["recall"] == {"a": 1.0, "b": 1.0, "c": 0.5}
