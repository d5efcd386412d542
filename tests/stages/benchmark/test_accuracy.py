"""Accuracy against scikit-learn's, and intervals against what is known of them."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score, top_k_accuracy_score

from stages import accuracy
from stages.accuracy import AMONG_FIRST, among_first, evaluate
from stages.images import Row
from stages.predictions import write_predictions

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = ("a", "b", "c")
MANY = tuple(f"n{number:08}" for number in range(1000))


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


def test_every_interval_holds_its_value_where_classes_have_two_images() -> None:
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(300), 2)
    predicted = np.where(rng.random(600) < 0.5, labels, rng.integers(0, 300, 600))
    found = evaluate(labels.tolist(), predicted.tolist(), tuple(f"n{number:03}" for number in range(300)))
    assert [name for name, (low, high) in found.intervals.items() if not low <= found.values[name] <= high] == []


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


def guesses(images: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and probabilities of a network that knows a little."""
    rng = np.random.default_rng(1)
    labels, outputs = rng.integers(0, classes, images), rng.random((images, classes), np.float32)
    outputs[np.arange(images), labels] += 0.4
    return labels, outputs / outputs.sum(axis=1, keepdims=True)


def test_the_first_five_are_those_of_scikit_learn() -> None:
    labels, outputs = guesses(300, 40)
    first = among_first(outputs, labels)
    assert first is not None
    assert first.mean() == pytest.approx(top_k_accuracy_score(labels, outputs, k=5, labels=range(40)))
    found = evaluate(labels.tolist(), outputs.argmax(axis=1).tolist(), MANY[:40], first)
    share, (low, high) = found.values[AMONG_FIRST], found.intervals[AMONG_FIRST]
    half = 1.96 * np.sqrt(share * (1 - share) / 300)
    assert (low, high) == (pytest.approx(share - half, abs=0.006), pytest.approx(share + half, abs=0.006))


def test_classes_that_are_equally_likely_are_not_all_among_the_first() -> None:
    outputs = np.zeros((12, 12), np.float32)
    outputs[:, 0] = 1.0  # as an 8-bit softmax answers that is sure
    assert among_first(outputs, range(12)).tolist() == [True] * 5 + [False] * 7  # type: ignore[union-attr]


def test_few_classes_have_no_first_five() -> None:
    assert among_first(np.ones((2, 10), np.float32), [0, 1]) is None
    assert AMONG_FIRST not in evaluate([0, 1, 2, 2], [0, 1, 2, 1], CLASSES).values


def test_of_a_thousand_classes_the_sums_are_numbers_and_the_commonest_confusions_are_told() -> None:
    labels = [*range(1000)] * 2
    predicted = [*range(1000), *([7] * 3), *range(3, 1000)]
    predicted[1500] = predicted[500] = 9
    found = evaluate(labels, predicted, MANY)
    assert [one["metric"] for one in found.numbers()] == ["balanced_accuracy", "accuracy", "macro_f1"]
    document = found.document()
    assert "confusion_matrix" not in document
    assert document["confused"][0] == {"truth": MANY[500], "predicted": MANY[9], "images": 2}
    assert {one["images"] for one in document["confused"][1:]} == {1}
    assert len(document["confused"]) == 4
    assert document["recall"][MANY[500]] == 0.0
    assert document["recall"][MANY[7]] == 1.0


def test_of_many_classes_the_five_largest_are_written(tmp_path: Path) -> None:
    labels, outputs = guesses(3, 40)
    rows = [Row(f"{place}.JPEG", int(label), "") for place, label in enumerate(labels)]
    write_predictions(tmp_path / "p.csv", rows, outputs)
    with (tmp_path / "p.csv").open() as file:
        header, *lines = csv.reader(file)
    assert header == ["path", "label", "predicted", *(f"{kind}{place}" for place in range(5) for kind in "cp")]
    for line, values in zip(lines, outputs, strict=True):
        assert [int(word) for word in line[3::2]] == np.argsort(-values)[:5].tolist()
        assert np.array_equal(np.float32(line[4::2]), np.sort(values)[:-6:-1])
        assert line[2] == line[3]
