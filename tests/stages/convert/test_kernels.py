"""An int8 file is chosen by the kernels that serve it worse, and only what can be chosen is run on both."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tensorflow as tf

from stages.contract import Step
from stages.convert.calibration import Observer
from stages.convert.int8 import quantise
from stages.convert.judge import Judge, built_in_runner, predict
from stages.convert.network import float_flatbuffer
from stages.convert.ranges import Statistics, mean_of_extremes
from stages.convert.search import Search
from stages.tasks.classification import compare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.convert.search import Candidate
    from stages.tasks.score import Score

layers = tf.keras.layers
SIZE, IMAGES = 12, 48


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    return np.random.default_rng(4).integers(0, 256, (IMAGES, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def flatbuffer() -> bytes:
    tf.keras.utils.set_random_seed(2)
    entry = layers.Input((SIZE, SIZE, 3))
    hidden = layers.Conv2D(16, 3, activation="relu")(layers.Conv2D(8, 3, activation="swish")(entry))
    return float_flatbuffer(
        tf.keras.Model(entry, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(hidden)))
    )


@pytest.fixture(scope="module")
def statistics(flatbuffer: bytes, pictures: NDArray[np.uint8]) -> Statistics:
    return Observer(flatbuffer, lambda index: pictures[index], SIZE, 1).statistics(list(range(IMAGES)), None)


class Prejudiced(Judge):
    """A judge that finds one file hopeless on the built-in kernels, and counts how many it ran on them."""

    hopeless: bytes = b""
    checked: int = 0

    def check(self, content: bytes) -> Score:
        """Run the file; make its score worse than any if it is the hopeless one."""
        self.checked += 1
        found = super().check(content)
        return replace(found, regret=found.regret + 1) if content == self.hopeless else found


def judge_of(kind: type[Judge], flatbuffer: bytes, pictures: NDArray[np.uint8]) -> Judge:
    return kind(pictures, [index % 3 for index in range(IMAGES)], flatbuffer, 1)


def chosen(judge: Judge, flatbuffer: bytes, statistics: Statistics, pictures: NDArray[np.uint8]) -> Candidate:
    step = Step("convert", "convert", {}, 1, {}, Path(), None, events=io.StringIO())
    return Search(step, flatbuffer, judge, pictures[:8], set()).run(statistics)


def test_both_families_of_kernels_are_asked(
    flatbuffer: bytes, statistics: Statistics, pictures: NDArray[np.uint8]
) -> None:
    judge, content = judge_of(Judge, flatbuffer, pictures), quantise(flatbuffer, mean_of_extremes(statistics))
    score, check = judge.score(content), judge.check(content)
    said = predict(content, pictures, 1, built_in_runner)
    real = predict(flatbuffer, pictures, 1)
    assert np.array_equal(check.regrets, compare(real, said, np.arange(IMAGES) % 3).regrets)
    assert judge.worse(content).order == max(score.order, check.order)


def test_a_file_that_fails_on_the_other_kernels_is_not_chosen(
    flatbuffer: bytes, statistics: Statistics, pictures: NDArray[np.uint8]
) -> None:
    judge = judge_of(Prejudiced, flatbuffer, pictures)
    assert isinstance(judge, Prejudiced)
    first = chosen(judge, flatbuffer, statistics, pictures)
    assert first.checked is not None
    assert first.order == max(first.score.order, first.checked.order)
    assert judge.checked < 8, "what is worse on XNNPACK than the best is on both need not be run on both"
    judge.hopeless = first.content
    second = chosen(judge, flatbuffer, statistics, pictures)
    assert second.content != first.content
    assert second.order >= first.order
    assert second.document()["built_in"]["regret"] < 1
