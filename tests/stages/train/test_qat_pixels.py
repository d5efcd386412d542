"""unet447 on few bits: the file is what is trained, its larger convolutions are narrowed, masks are what is learnt."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf

from stages.contract import Step
from stages.convert.judge import predict
from stages.convert.narrow import narrowable, native, on_steps
from stages.convert.ranged import trained_int8
from stages.convert.recipes import int2, qat_int4
from stages.convert.source import Source
from stages.images import as_floats
from stages.models import build
from stages.qat.few_bits import FewBits
from stages.qat.lessons import find_lesson
from stages.qat.ways.int2 import TwoBits
from stages.qat.ways.qat_int4 import FourBits
from stages.tasks.segmentation import compare
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = 16
LESSON = find_lesson("unet447")


class FromFloat(TwoBits):
    """As int2 trains, but from the float network: it begins where every student does."""

    def start(self, step: Step, teacher: Any) -> tuple[Any, bool]:
        return FewBits.start(self, step, teacher)


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (8, SIZE, SIZE, 3), np.uint8)


def step() -> Step:
    return Step("qat", "qat", {}, 1, {}, Path(), None, events=io.StringIO())


@pytest.fixture(scope="module", params=[FourBits, FromFloat], ids=["int4", "int2"])
def taught(request: pytest.FixtureRequest, pixels: NDArray[np.uint8]) -> tuple[FewBits, list[float]]:
    """A student that learnt for a moment, and its losses."""
    tf.keras.utils.set_random_seed(3)
    made = request.param(step(), build("unet447", SIZE, 2), pixels, LESSON)
    images, masks = as_floats(pixels), (pixels[..., :1] > 128).astype(np.float32)
    optimiser, losses = tf.keras.optimizers.legacy.Adam(1e-2), []
    for _ in range(12):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(made.losses(images, made.network(images, training=True), masks))
        variables = made.network.trainable_variables
        optimiser.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        losses.append(float(loss))
    made.give()
    return made, losses


def source(made: FewBits) -> Source:
    return Source(step(), made.kept, json.loads(json.dumps(made.described)))


def test_it_learns_masks_and_what_learnt_is_the_file(
    taught: tuple[FewBits, list[float]], pixels: NDArray[np.uint8]
) -> None:
    made, losses = taught
    assert losses[-1] < losses[0]
    file = on_steps(trained_int8(source(made)), made.bits)
    apart = np.abs(made.network.predict(as_floats(pixels), verbose=0) - predict(file, pixels, 1))
    assert apart.max() * 256 <= 1  # the file's sigmoid is rounded


def test_convolutions_of_3x3_are_narrowed_where_no_other_runs_at_four_bits(taught: tuple[FewBits, list[float]]) -> None:
    made, _ = taught
    model = read_model(trained_int8(source(made)))
    kernels = [model.main.tensors[model.main.operators[place].inputs[1]].shape for place in narrowable(model)]
    assert kernels == [(3, 3, 3, 3), (5, 3, 3, 3), (3, 3, 3, 8)]
    assert native(model) == []
    assert [pair.operator.kernel.shape for pair in made.pairs if pair.operator.step is not None] == kernels


def test_its_file_has_few_bits_in_its_convolutions(taught: tuple[FewBits, list[float]]) -> None:
    made, _ = taught
    if made.bits == 2:
        container = int2.convert(source(made)).container
        assert container is not None
        found = [(one.bits, one.codes.shape[1:3]) for one in container.tensors if one.codes.ndim == 4]
        assert found == [(2, (3, 3)), (2, (3, 3)), (2, (3, 3)), (8, (1, 1))]
        return
    graph = read_model(qat_int4.convert(source(made)).content).main
    told = [(one.version, graph.tensors[one.inputs[1]].dtype) for one in graph.operators if one.name == "CONV_2D"]
    assert told == [(7, "int4"), (7, "int4"), (7, "int4"), (3, "int8")]


def test_the_score_that_is_shown_is_the_iou_of_each_image() -> None:
    masks = np.zeros((3, 4, 4, 1), np.float32)
    masks[0, 0], masks[1, 0] = 1, 1
    said = np.full_like(masks, 0.1)
    said[0, 0], said[1, :2] = 0.9, 0.9
    np.testing.assert_allclose(LESSON.right(said, masks), [1, 0.5, 1])


def test_a_student_learns_most_from_whom_it_differs() -> None:
    rng = np.random.default_rng(1)
    sure = rng.uniform(0.02, 0.98, (4, 6, 6, 1)).astype(np.float32)
    masks = (sure > 0.7).astype(np.float32)
    near, far = np.clip(sure + 0.02, 0, 1), 1 - sure
    losses = [float(tf.reduce_mean(LESSON.losses(sure, one, masks))) for one in (sure, near, far)]
    assert losses == sorted(losses)
    assert not LESSON.divergences(sure, sure).any()
    told: Any = compare(sure, far, masks)
    np.testing.assert_allclose(LESSON.divergences(sure, far), told.divergences)


def test_answers_that_are_sure_have_a_finite_loss_and_gradient() -> None:
    said = tf.Variable(np.array([0.0, 1.0, 0.0, 1.0], np.float32).reshape(1, 2, 2, 1))
    sure = np.array([1.0, 0.0, 0.0, 1.0], np.float32).reshape(1, 2, 2, 1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(LESSON.losses(sure, said, sure))
    assert np.isfinite(float(loss))
    assert np.isfinite(tape.gradient(loss, said).numpy()).all()
