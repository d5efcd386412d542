"""The last resorts: they are run only where they are needed, and bring something where they are."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf

from stages.contract import Step
from stages.convert import finetune, resort
from stages.convert.bias import absorb, correct_biases
from stages.convert.calibration import activations
from stages.convert.finetune import fine_tune
from stages.convert.greedy import GROUP, noisiest, search_ranges
from stages.convert.int8 import quantise
from stages.convert.judge import Judge, predict
from stages.convert.network import float_flatbuffer
from stages.convert.resort import SEARCHED, TUNED, Resorts
from stages.convert.search import Candidate
from stages.convert.simulation import Simulation
from stages.convert.steps import UnsimulatedError
from stages.convert.walk import Reference
from stages.images import as_floats
from stages.tasks import score as scoring
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.convert.ranges import Ranges

layers = tf.keras.layers
SIZE = 12
IMAGES = 160
WIDE = 32
RATE = 3e-3  # a network of two thousand weights needs larger steps than one of millions


def blobs(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Noisy images whose class is the colour of a faint spot or, for a fifth of them, any: nobody can be quite sure."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    pixels = rng.integers(0, 60, (count, SIZE, SIZE, 3), dtype=np.uint8)
    for picture, label in zip(pixels, labels, strict=True):
        top, left = rng.integers(0, SIZE - 4, 2)
        picture[top : top + 4, left : left + 4, label] = rng.integers(40, 120)
    return pixels, np.where(rng.random(count) < 0.2, rng.integers(0, 3, count), labels)


@pytest.fixture(scope="module")
def flatbuffer() -> bytes:
    """A trained network with every kind of operator that the four networks have."""
    tf.keras.utils.set_random_seed(3)
    entry = layers.Input((SIZE, SIZE, 3))
    first = layers.Conv2D(8, 3, activation="swish")(layers.ZeroPadding2D(1)(entry))
    gate = layers.Conv2D(8, 1, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(first))
    gated = layers.Multiply()([layers.ReLU()(layers.DepthwiseConv2D(3, padding="same")(first)), gate])
    joined = layers.Add()([first, gated])
    pools = [layers.MaxPooling2D(2)(joined), layers.AveragePooling2D(2, padding="same")(joined)]
    hidden = layers.Conv2D(12, 3, activation="relu")(layers.Concatenate()(pools))
    model = tf.keras.Model(entry, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(hidden)))
    model.compile(tf.keras.optimizers.Adam(0.02, jit_compile=False), "sparse_categorical_crossentropy")
    pixels, labels = blobs(400, seed=1)
    model.fit(as_floats(pixels), labels, batch_size=40, epochs=12, verbose=0)
    return float_flatbuffer(model)


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    return blobs(IMAGES, seed=2)[0]


@pytest.fixture(scope="module")
def judge(flatbuffer: bytes) -> Judge:
    pixels, labels = blobs(IMAGES, seed=5)
    return Judge(pixels, labels.tolist(), flatbuffer, 2)


@pytest.fixture(scope="module")
def hard(flatbuffer: bytes, pictures: NDArray[np.uint8]) -> Ranges:
    """Ranges 32 times as wide as they need be: steps as of 3 bits."""
    reference, graph = Reference(flatbuffer, pictures), read_model(flatbuffer).main
    ranges = {graph.inputs[0]: (0.0, 1.0)}
    for operator in graph.operators:
        index = operator.outputs[0]
        values = reference.values(graph.tensors[index].name)
        assert values is not None
        ranges[index] = (WIDE * float(values.min()), WIDE * float(values.max()))
    assert ranges.keys() == set(activations(read_model(flatbuffer)))
    return ranges


@pytest.fixture(scope="module")
def cut(hard: Ranges) -> Ranges:
    """A fifth of the ranges that are needed: the weights must learn to live within them."""
    return narrowed(hard, 5 * WIDE)


def make_step(events: io.StringIO | None = None) -> Step:
    return Step("convert", "convert", {}, 1, {}, Path(), None, events=events or io.StringIO())


def test_the_network_is_good_and_its_hard_file_is_not(flatbuffer: bytes, hard: Ranges, judge: Judge) -> None:
    assert judge.reference.balanced_accuracy > 0.7
    assert not judge.score(quantise(flatbuffer, hard)).is_within_tolerance


def test_the_simulation_says_what_the_file_says(flatbuffer: bytes, hard: Ranges, pictures: NDArray[np.uint8]) -> None:
    kinds = {operator.name for operator in read_model(flatbuffer).main.operators}
    assert kinds >= {"PAD", "CONV_2D", "DEPTHWISE_CONV_2D", "LOGISTIC", "MUL", "ADD", "MEAN", "CONCATENATION"}
    assert kinds >= {"MAX_POOL_2D", "AVERAGE_POOL_2D", "FULLY_CONNECTED", "SOFTMAX"}
    content = quantise(flatbuffer, narrowed(hard, WIDE))
    simulation = Simulation(flatbuffer, content)
    said = simulation(as_floats(pictures)).numpy()
    found, real = predict(content, pictures, 1), predict(flatbuffer, pictures, 1)
    assert np.abs(said - found).max() < 0.03  # kernels round halves of a step, as of means, in their own ways
    coarse = Simulation(flatbuffer, quantise(flatbuffer, hard))(as_floats(pictures)).numpy()
    assert np.abs(coarse - real).mean() > 0.02  # the ranges count
    assert predict(simulation.written(), pictures, 1) == pytest.approx(real, abs=1e-6)


def test_an_operator_that_cannot_be_simulated_is_named(flatbuffer: bytes) -> None:
    entry = layers.Input((SIZE, SIZE, 3))
    odd = float_flatbuffer(tf.keras.Model(entry, tf.math.exp(layers.Conv2D(2, 3)(entry))))
    with pytest.raises(UnsimulatedError, match="EXP"):
        Simulation(odd, flatbuffer)


def test_corrections_that_were_absorbed_come_out_again(
    flatbuffer: bytes, hard: Ranges, pictures: NDArray[np.uint8]
) -> None:
    plain = quantise(flatbuffer, hard)
    corrected = correct_biases(plain, flatbuffer, pictures[:16])
    again = quantise(absorb(flatbuffer, plain, corrected), hard)
    assert (predict(plain, pictures, 1) != predict(corrected, pictures, 1)).any()
    assert np.abs(predict(again, pictures, 1) - predict(corrected, pictures, 1)).max() <= 1 / 256
    assert quantise(absorb(flatbuffer, plain, plain), hard) == plain


def test_only_ranges_that_are_ours_are_searched(flatbuffer: bytes, hard: Ranges, pictures: NDArray[np.uint8]) -> None:
    content = quantise(flatbuffer, hard)
    found = noisiest(flatbuffer, content, hard, pictures[:16])
    graph = read_model(flatbuffer).main
    makers = {operator.outputs[0]: operator.name for operator in graph.operators}
    assert found
    assert len(set(found)) == len(found)
    assert not {makers[index] for index in found} & {"LOGISTIC", "SOFTMAX"}
    wide = {**hard, found[-1]: tuple(100 * limit for limit in hard[found[-1]])}
    assert noisiest(flatbuffer, quantise(flatbuffer, wide), wide, pictures[:16])[0] == found[-1]


def test_the_range_search_makes_a_hard_file_better(
    flatbuffer: bytes, hard: Ranges, pictures: NDArray[np.uint8], judge: Judge
) -> None:
    leading, deciding = judge.halves()
    found = search_ranges(make_step(), flatbuffer, hard, leading, pictures[:16])
    assert found.scaled
    assert all(len(one["activations"]) <= GROUP for one in found.scaled)
    before, after = (deciding.worse(one) for one in (quantise(flatbuffer, hard), found.content))
    assert after.divergence < 0.9 * before.divergence
    assert after.regret <= before.regret
    assert found.content == quantise(flatbuffer, found.ranges)
    assert search_ranges(make_step(), flatbuffer, hard, leading, pictures[:16]) == found


def test_fine_tuning_makes_a_cut_file_better_and_repeats_itself(
    flatbuffer: bytes, cut: Ranges, pictures: NDArray[np.uint8], judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finetune, "RATE", RATE)
    content = quantise(flatbuffer, cut)
    tuned = fine_tune(make_step(), flatbuffer, cut, pictures, flatbuffer)
    before, after = judge.score(content), judge.score(tuned)
    assert after.divergence < 0.8 * before.divergence
    assert after.regret <= before.regret
    assert [one.name for one in read_model(tuned).main.operators] == [
        one.name for one in read_model(content).main.operators
    ]
    assert fine_tune(make_step(), flatbuffer, cut, pictures, flatbuffer) == tuned


def candidate(flatbuffer: bytes, ranges: Ranges, judge: Judge) -> Candidate:
    content = quantise(flatbuffer, ranges)
    return Candidate("minimum-maximum", False, ranges, content, judge.score(content))


def resorts(flatbuffer: bytes, judge: Judge, pictures: NDArray[np.uint8], events: io.StringIO) -> Resorts:
    return Resorts(make_step(events), flatbuffer, judge, pictures[:16], lambda: pictures)


def told(events: io.StringIO, kind: str) -> list[dict[str, Any]]:
    return [event for event in map(json.loads, events.getvalue().splitlines()) if event["event"] == kind]


def test_what_is_tried_is_taken_and_told(
    flatbuffer: bytes, cut: Ranges, judge: Judge, pictures: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "TOLERANCE", -1.0)
    monkeypatch.setattr(finetune, "RATE", RATE)
    events = io.StringIO()
    made, start = resorts(flatbuffer, judge, pictures, events), candidate(flatbuffer, cut, judge)
    best = made.run(start, start)
    assert best.beyond == (SEARCHED, TUNED)
    assert best.score.divergence < start.score.divergence
    assert best.document()["beyond"] == [SEARCHED, TUNED]
    assert [one["remedy"] for one in made.documents] == [SEARCHED, TUNED]
    assert all(one["taken"] and one["after"]["divergence"] < one["before"]["divergence"] for one in made.documents)
    assert {(one["leading_images"], one["deciding_images"]) for one in made.documents} == {(80, 80)}
    assert [one["remedy"] for one in made.remedies()] == [SEARCHED, TUNED]
    assert next(event["message"] for event in told(events, "warning")).startswith("int8 is expected to lose")
    assert {event["unit"] for event in told(events, "progress")} == {"range", "step"}


def test_what_does_not_help_is_told_and_not_taken(
    flatbuffer: bytes, hard: Ranges, judge: Judge, pictures: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "TOLERANCE", -1.0)
    monkeypatch.setattr(resort, "search_ranges", lambda *_: resort_kept([]))
    monkeypatch.setattr(resort, "fine_tune", lambda *_: quantise(flatbuffer, narrowed(hard, 400)))
    start = candidate(flatbuffer, hard, judge)
    made = resorts(flatbuffer, judge, pictures, io.StringIO())
    assert made.run(start, start) is start
    assert [(one["taken"], one["reason"]) for one in made.documents] == [
        (False, "no group of ranges made it better"),
        (False, None),
    ]
    assert [one["remedy"] for one in made.remedies()] == ["weights fine-tuned, not taken"]


def resort_kept(scaled: list[dict[str, Any]]) -> Any:
    from stages.convert.greedy import Kept

    return Kept({}, b"", 24, scaled)


def narrowed(ranges: Ranges, times: float) -> Ranges:
    return {index: (low / times, high / times) for index, (low, high) in ranges.items()}


def test_nothing_is_tried_where_a_candidate_is_within_tolerance(
    flatbuffer: bytes, hard: Ranges, judge: Judge, pictures: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail = pytest.fail
    monkeypatch.setattr(resort, "search_ranges", lambda *_: fail("searched"))
    monkeypatch.setattr(resort, "fine_tune", lambda *_: fail("tuned"))
    start = candidate(flatbuffer, narrowed(hard, WIDE), judge)
    assert start.score.is_within_tolerance
    made = resorts(flatbuffer, judge, pictures, io.StringIO())
    assert made.run(start, start) is start
    assert (made.documents, made.remedies()) == ([], [])


def test_nothing_is_tried_on_too_few_judging_images(
    flatbuffer: bytes, hard: Ranges, pictures: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "TOLERANCE", -1.0)
    few = Judge(pictures[:20], [index % 3 for index in range(20)], flatbuffer, 1)
    events = io.StringIO()
    start = candidate(flatbuffer, hard, few)
    assert resorts(flatbuffer, few, pictures, events).run(start, start) is start
    assert "20 judging images are too few" in told(events, "warning")[0]["message"]


def test_a_difference_counts_only_when_it_is_more_than_noise(judge: Judge) -> None:
    from dataclasses import replace

    rng = np.random.default_rng(1)
    some = rng.random(200)
    old = replace(judge.reference, regrets=some, divergences=some)
    assert replace(old, divergences=some - 0.01).betters(old)
    assert not replace(old, divergences=some - 0.01, regrets=some + 0.01).betters(old)
    assert not replace(old, divergences=some + rng.normal(0, 1, 200)).betters(old)
    assert not old.betters(old)


def test_halves_share_no_image(judge: Judge, flatbuffer: bytes, hard: Ranges) -> None:
    content = quantise(flatbuffer, hard)
    first, second = (half.score(content).divergences for half in judge.halves())
    whole = judge.score(content).divergences
    assert len(np.unique(whole)) > IMAGES / 2
    assert np.array_equal(first, whole[::2])
    assert np.array_equal(second, whole[1::2])
