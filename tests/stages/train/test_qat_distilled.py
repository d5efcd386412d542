"""The network that qat-int8 learns with: it is the file, what it learns goes back into Keras, and learning helps."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf

from stages.contract import InputError, Step
from stages.convert.judge import predict
from stages.convert.network import float_flatbuffer
from stages.convert.recipes import qat_int8
from stages.convert.simulation import Simulation
from stages.convert.source import Source
from stages.images import as_floats
from stages.models import IMAGENET, build
from stages.preparation import NAME, with_preparation
from stages.qat.distilled import Distilled
from stages.qat.folded import pairs
from stages.qat.ranging import best_ranges
from stages.rewrite import rewrite

if TYPE_CHECKING:
    from numpy.typing import NDArray

layers = tf.keras.layers
SIZE = 16


def network() -> Any:
    """Build one of each kind of connection: folded and lone BatchNorm, depthwise, swish, gate, shared tensors."""
    tf.keras.utils.set_random_seed(2)
    entry = layers.Input((SIZE, SIZE, 3))
    first = layers.ReLU()(layers.BatchNormalization(name="bn")(layers.Conv2D(8, 3, use_bias=False, name="conv")(entry)))
    deep = layers.BatchNormalization(scale=False, name="deep_bn")(layers.DepthwiseConv2D(3, padding="same")(first))
    swish = layers.Activation("swish")(deep)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(swish)
    gate = layers.Conv2D(8, 1, activation="sigmoid")(layers.Conv2D(4, 1, activation="swish")(gate))
    joined = layers.Add()([first, layers.Multiply()([swish, gate])])
    lone = layers.ReLU()(layers.BatchNormalization(name="lone")(layers.MaxPooling2D()(joined)))
    bare = layers.AveragePooling2D(1)(layers.Conv2D(4, 1, use_bias=False, name="bare")(lone))
    flat = layers.BatchNormalization(center=False, name="flat")(layers.Conv2D(4, 1)(lone))
    pooled = layers.GlobalAveragePooling2D()(layers.Dropout(0.3)(layers.Concatenate()([lone, bare, flat])))
    made = tf.keras.Model(entry, layers.Dense(3, activation="softmax")(pooled))
    rng = np.random.default_rng(1)
    for layer in made.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.3, 1.5, weight.shape) for weight in layer.get_weights()])
            if layer.scale:  # channels so far apart that one scale for all of them would show
                layer.gamma.assign(np.geomspace(0.01, 3, layer.gamma.shape[0]))
    return made


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (48, SIZE, SIZE, 3), np.uint8)


def step(**values: Any) -> Step:
    return Step("qat", "qat", values, 2, {}, Path(), None, events=io.StringIO())


@pytest.fixture
def distilled(pixels: NDArray[np.uint8]) -> Distilled:
    return Distilled(step(), network(), pixels)


@pytest.fixture(scope="module")
def untaught(pixels: NDArray[np.uint8]) -> Distilled:
    """One that learns nothing: tests that only look at it, or tell other things of it, share it."""
    return Distilled(step(), network(), pixels)


def as_file(made: Distilled, described: dict[str, Any] | None = None) -> bytes:
    description = json.loads(json.dumps(described or made.described))
    return qat_int8.convert(Source(step(), made.kept, description)).content


def steps_apart(made: Distilled, pixels: NDArray[np.uint8]) -> float:
    """Largest difference of an output from that of the file, in steps of the file's softmax."""
    simulated = made.network.predict(as_floats(pixels), verbose=0)
    return float(np.abs(simulated - predict(as_file(made), pixels, 1)).max() * 256)


def teach(made: Distilled, pixels: NDArray[np.uint8], count: int, rate: float) -> list[float]:
    """Let it learn for some steps; return the losses."""
    optimiser = tf.keras.optimizers.legacy.Adam(rate)
    images, labels = as_floats(pixels), np.arange(len(pixels), dtype=np.int32) % 3
    found = []
    for _ in range(count):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(made.losses(images, made.network(images, training=True), labels))
        variables = made.network.trainable_variables
        optimiser.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        found.append(float(loss))
    return found


def learnt_comes_back(made: Distilled, pixels: NDArray[np.uint8]) -> list[Any]:
    """Let it learn, keep that in Keras and take it back: it is what was learnt, which is returned."""
    teach(made, pixels, 3, 3e-3)
    made.give()
    learnt = [variable.numpy() for variable in made.network.trainable_variables]
    teach(made, pixels, 2, 3e-3)
    made.take()
    for variable, wanted in zip(made.network.trainable_variables, learnt, strict=True):
        np.testing.assert_array_equal(variable.numpy(), wanted)
    return learnt


def test_what_is_trained_is_the_file(untaught: Distilled, pixels: NDArray[np.uint8]) -> None:
    # The softmax of the file is rounded. With one scale for all channels of a kernel it would be more than one step.
    assert steps_apart(untaught, pixels) <= 1


def test_the_layer_that_prepares_images_is_not_learnt(pixels: NDArray[np.uint8]) -> None:
    made = Distilled(step(), with_preparation(network(), IMAGENET), pixels)
    begun = made.kept.get_weights()
    learnt_comes_back(made, pixels)
    changed = [not np.array_equal(*pair) for pair in zip(begun, made.kept.get_weights(), strict=True)]
    assert made.kept.layers[1].name == NAME
    assert changed[:3] == [False, False, True]


def test_it_still_is_after_learning_through_weights_kept_in_keras(
    distilled: Distilled, pixels: NDArray[np.uint8]
) -> None:
    before = distilled.kept.get_weights()
    losses = teach(distilled, pixels, 30, 3e-3)
    assert losses[-1] < losses[0]
    distilled.give()
    assert any(not np.array_equal(one, other) for one, other in zip(before, distilled.kept.get_weights(), strict=True))
    assert steps_apart(distilled, pixels) <= 1


def test_weights_that_went_to_keras_come_back_as_they_were(distilled: Distilled, pixels: NDArray[np.uint8]) -> None:
    teach(distilled, pixels, 3, 3e-3)
    learnt = [variable.numpy() for variable in distilled.network.trainable_variables]
    distilled.give()
    teach(distilled, pixels, 2, 3e-3)
    distilled.take()
    for variable, wanted in zip(distilled.network.trainable_variables, learnt, strict=True):
        np.testing.assert_array_equal(variable.numpy(), wanted)


def test_the_teacher_stays_as_it_is(pixels: NDArray[np.uint8]) -> None:
    teacher = network()
    before = teacher.get_weights()
    made = Distilled(step(), teacher, pixels)
    teach(made, pixels, 2, 3e-3)
    made.give()
    for one, other in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_ranges_are_those_of_the_rule_with_the_nearest_file(pixels: NDArray[np.uint8]) -> None:
    model, _ = rewrite(network())
    flatbuffer = float_flatbuffer(model)
    chosen = best_ranges(step(), flatbuffer, pixels)
    others = [best_ranges(step(), flatbuffer, pixels[:24]), best_ranges(step(), flatbuffer, pixels[24:])]
    assert chosen.divergence < 0.05
    assert all(len(one.document()) == len(chosen.document()) for one in others)
    assert best_ranges(step(), flatbuffer, pixels) == chosen


@pytest.fixture
def described(untaught: Distilled) -> dict[str, Any]:
    """What it says of itself, to be changed."""
    return copy.deepcopy(untaught.described)


def test_a_range_that_the_training_did_not_leave_is_missed(untaught: Distilled, described: dict[str, Any]) -> None:
    del described["ranges"][-1]
    with pytest.raises(InputError, match="activations have a range"):
        as_file(untaught, described)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        5,
        [1.0] * 23,
        float("nan"),
        {"low": float("nan")},
        {"high": 1e39},
        {"low": True},
        {"low": "0"},
        {"low": 9e9},
    ],
)
def test_damaged_ranges_are_refused(untaught: Distilled, described: dict[str, Any], wrong: Any) -> None:
    if isinstance(wrong, dict):
        described["ranges"][3].update(wrong)
    else:
        described["ranges"] = wrong
    with pytest.raises(InputError, match=r"model\.json of the qat stage is damaged"):
        as_file(untaught, described)


def test_ranges_of_another_graph_are_refused(untaught: Distilled, described: dict[str, Any]) -> None:
    told = described["ranges"]
    other = next(place for place, one in enumerate(told) if one["operator"] != told[1]["operator"])
    told[1], told[other] = told[other], told[1]
    with pytest.raises(InputError, match=r"a range of .* was expected"):
        as_file(untaught, described)


def twins(gamma: float) -> Any:
    """Build two branches that nobody can tell from each other by their weights."""
    entry = layers.Input((SIZE, SIZE, 3))
    settings = {"kernel_initializer": "ones", "padding": "same"}
    one, other = layers.Conv2D(4, 3, **settings)(entry), layers.Conv2D(4, 3, **settings)(layers.ReLU()(entry))
    ends = [layers.BatchNormalization(gamma_initializer=tf.keras.initializers.Constant(gamma))(x) for x in (one, other)]
    pooled = layers.GlobalAveragePooling2D()(layers.Subtract()(ends[::-1]))
    return tf.keras.Model(entry, layers.Dense(3, activation="softmax")(pooled))


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_layers_with_equal_weights_are_told_apart_or_refused(gamma: float, pixels: NDArray[np.uint8]) -> None:
    try:
        made = Distilled(step(), twins(gamma), pixels)
    except InputError as error:
        assert "cannot be trained as qat-int8 does" in str(error)  # noqa: PT017 - either is right
        return
    teach(made, pixels, 5, 3e-3)
    made.give()
    assert steps_apart(made, pixels) < 3


@pytest.mark.parametrize("name", ["densenet169", "efficientnetv2b0", "inceptionv3", "resnet50v2"])
def test_every_operator_of_the_four_networks_has_its_layer(name: str) -> None:
    model, _ = rewrite(build(name, 75, 3))
    rng = np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    flatbuffer = float_flatbuffer(model)
    simulation = Simulation(flatbuffer, flatbuffer)
    found = pairs(model, simulation.weighted)
    for pair in found:
        for variable in pair.learnt:
            variable.assign(variable * 1.05 + 0.001)
        pair.give()
    pixels = rng.integers(0, 256, (2, 75, 75, 3), np.uint8)
    wanted = predict(simulation.written(), pixels, 1)
    assert model(as_floats(pixels), training=False).numpy() == pytest.approx(wanted, abs=1e-4)
