"""The network that int2 learns with goes on from four bits, and is what its container holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from test_qat_distilled import SIZE, learnt_comes_back, network, step, teach

from stages.container.network import restored
from stages.convert.judge import predict
from stages.convert.recipes import int2
from stages.convert.simulation import on_steps, steps_of
from stages.convert.source import Source
from stages.images import as_floats
from stages.qat.ways import int2 as way
from stages.qat.ways.qat_int4 import FourBits

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.container.file import Container
    from stages.qat.few_bits import FewBits


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (48, SIZE, SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def base(pixels: NDArray[np.uint8]) -> FourBits:
    made = FourBits(step(), network(), pixels)
    teach(made, pixels, 5, 3e-3)
    made.give()
    return made


@pytest.fixture
def student(tmp_path: Path, base: FourBits, pixels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> way.TwoBits:
    """A student that finds what four bits have left, as the step's input `start`."""
    copy = tf.keras.models.clone_model(base.kept)
    copy.set_weights(base.kept.get_weights())
    monkeypatch.setattr(way, "load_trained", lambda folder: {tmp_path: (copy, base.described)}[folder])
    given = step()
    given.inputs["start"] = tmp_path
    return way.TwoBits(given, network(), pixels)


def container(made: FewBits) -> Container:
    found = int2.convert(Source(step(), made.kept, json.loads(json.dumps(made.described)))).container
    assert found is not None
    return found


def steps_apart(made: FewBits, pixels: NDArray[np.uint8]) -> float:
    """Largest difference of an output from that of what the container holds, in steps of the softmax."""
    outputs = made.network.predict(as_floats(pixels), verbose=0)
    return float(np.abs(outputs - predict(restored(container(made)), pixels, 1)).max() * 256)


def narrow(made: FewBits) -> list[Any]:
    return [pair.operator for pair in made.pairs if pair.operator.step is not None]


def test_it_begins_where_four_bits_ended(student: way.TwoBits, base: FourBits) -> None:
    for variable, wanted in zip(student.kept.get_weights(), base.kept.get_weights(), strict=True):
        np.testing.assert_allclose(variable, wanted, rtol=1e-6)  # BatchNorm was folded again
    assert student.described["rewritten"] is base.described["rewritten"] is True


def test_what_is_trained_is_what_the_container_holds(student: way.TwoBits, pixels: NDArray[np.uint8]) -> None:
    student.give()
    assert steps_apart(student, pixels) <= 1
    losses = teach(student, pixels, 30, 3e-3)
    assert losses[-1] < losses[0]
    student.give()
    assert steps_apart(student, pixels) <= 1


def test_the_same_layers_as_with_four_bits_have_two_in_the_container(student: way.TwoBits) -> None:
    student.give()
    weights = [one for one in container(student).tensors if one.bits != 32]
    two = [one for one in weights if one.bits == 2]
    assert len(two) == len(narrow(student)) < len(weights)
    assert all(set(np.unique(one.codes)) <= {-3, -1, 1, 3} for one in two)
    for one, learnt in zip(two, narrow(student), strict=True):
        np.testing.assert_allclose(one.values(), learnt.kernel.numpy(), rtol=1e-5)


def test_what_went_to_keras_comes_back_as_it_was(student: way.TwoBits, pixels: NDArray[np.uint8]) -> None:
    learnt_comes_back(student, pixels)


def test_gradients_reach_kernel_and_step_as_published() -> None:
    kernel, size = tf.Variable([[[[0.17], [-0.39], [0.9]]]]), tf.Variable([0.1])
    with tf.GradientTape() as tape:
        values = on_steps(kernel, size, 2)
        total = tf.reduce_sum(values)
    np.testing.assert_allclose(values.numpy().ravel(), [0.1, -0.3, 0.3], rtol=1e-6)
    to_kernel, to_size = tape.gradient(total, (kernel, size))
    np.testing.assert_allclose(to_kernel.numpy().ravel(), [1, 1, 0])  # none beyond what the highest code stands for
    weight = 1 / np.sqrt(3 * 3)
    np.testing.assert_allclose(to_size.numpy(), [weight * ((1 - 1.7) + (-3 + 3.9) + 3)], rtol=1e-4)


def test_steps_are_found_also_where_the_highest_codes_are_not_used() -> None:
    codes = np.array([[3, -1, 1, -3], [1, 1, -1, 1]], np.float32)
    sizes = np.array([0.125, 0.3], np.float32)
    found = steps_of((codes * sizes[:, None]).reshape(2, 1, 1, 4), 2)
    np.testing.assert_allclose(found, sizes, rtol=1e-6)
