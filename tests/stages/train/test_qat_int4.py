"""The network that qat-int4 learns with is the file of four bits; its steps learn, and survive a way through Keras."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from test_qat_distilled import SIZE, learnt_comes_back, network, step, teach

from stages.convert.judge import predict
from stages.convert.narrow import narrowable, on_steps
from stages.convert.ranged import trained_int8
from stages.convert.recipes import qat_int4
from stages.convert.simulation import on_steps as simulated
from stages.convert.simulation import steps_of
from stages.convert.source import Source
from stages.images import as_floats
from stages.qat.ways.qat_int4 import FourBits
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (48, SIZE, SIZE, 3), np.uint8)


@pytest.fixture
def student(pixels: NDArray[np.uint8]) -> FourBits:
    return FourBits(step(), network(), pixels)


def narrow(made: FourBits) -> list[Any]:
    return [pair.operator for pair in made.pairs if pair.operator.step is not None]


def source(made: FourBits) -> Source:
    return Source(step(), made.kept, json.loads(json.dumps(made.described)))


def steps_apart(made: FourBits, pixels: NDArray[np.uint8]) -> float:
    """Largest difference of an output from that of the file before it is packed, in steps of the file's softmax."""
    outputs = made.network.predict(as_floats(pixels), verbose=0)
    return float(np.abs(outputs - predict(on_steps(trained_int8(source(made)), 4), pixels, 1)).max() * 256)


def test_what_is_trained_is_the_file_before_and_after_learning(student: FourBits, pixels: NDArray[np.uint8]) -> None:
    student.give()
    assert steps_apart(student, pixels) <= 1
    before = [one.step.size.numpy() for one in narrow(student)]
    losses = teach(student, pixels, 30, 3e-3)
    assert losses[-1] < losses[0]
    assert all(not np.array_equal(old, one.step.size.numpy()) for old, one in zip(before, narrow(student), strict=True))
    student.give()
    assert steps_apart(student, pixels) <= 1.5  # an activation on the edge of a step may fall to either side


def test_the_file_has_packed_weights_of_those_layers(student: FourBits) -> None:
    student.give()
    graph = read_model(qat_int4.convert(source(student)).content).main
    packed = [one.name for one in graph.operators if {graph.tensors[index].dtype for index in one.inputs} >= {"int4"}]
    assert packed == ["FULLY_CONNECTED"] * len(narrow(student))
    assert packed


def test_what_went_to_keras_comes_back_as_it_was(student: FourBits, pixels: NDArray[np.uint8]) -> None:
    learnt = learnt_comes_back(student, pixels)
    student.give()  # a second time changes nothing
    for variable, wanted in zip(student.network.trainable_variables, learnt, strict=True):
        np.testing.assert_allclose(variable.numpy(), wanted, rtol=3e-7, atol=0)


def test_building_it_rounds_nothing_yet(student: FourBits) -> None:
    for one in narrow(student):
        assert len(np.unique(one.kernel.numpy()[0])) == len(one.kernel.numpy()[0].ravel())


def test_gradients_reach_kernel_and_step_as_published() -> None:
    kernel, size = tf.Variable([[[[0.34], [-9.0]]]]), tf.Variable([0.1])
    with tf.GradientTape() as tape:
        values = tf.reduce_sum(simulated(kernel, size, 4))
    to_kernel, to_size = tape.gradient(values, (kernel, size))
    np.testing.assert_allclose(to_kernel.numpy().ravel(), [1, 0])  # none where the range cuts
    weight = 1 / np.sqrt(7 * 2)
    np.testing.assert_allclose(to_size.numpy(), [weight * ((3 - 3.4) - 7)], rtol=1e-5)


def test_steps_are_found_also_where_the_highest_codes_are_not_used() -> None:
    codes = np.array([[3, -2, 1, 0], [7, 1, 0, -7]], np.float32)
    sizes = np.array([0.125, 0.3], np.float32)
    found = steps_of((codes * sizes[:, None]).reshape(2, 1, 1, 4), 4)
    np.testing.assert_allclose(found, sizes, rtol=1e-6)


def test_every_layer_that_runs_at_four_bits_learns_so(student: FourBits) -> None:
    content = trained_int8(source(student))
    assert len(narrow(student)) == len(narrowable(read_model(content)))
