"""BatchNorm that cannot be folded becomes a depthwise convolution that computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from stages.convert.network import float_flatbuffer
from stages.models import build
from stages.rewrite import lone_batchnorms, rewrite
from stages.tflite.model import read_model

layers = tf.keras.layers


def unsettled(model: Any) -> Any:
    """Give BatchNorm something to do: as built, it does nothing."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if any(name in weight.name for name in ("gamma", "beta", "moving")):
            weight.assign(rng.uniform(0.2, 2, weight.shape))
    return model


def network(**options: Any) -> Any:
    """A pre-activation block: one BatchNorm after a sum, one after a convolution."""
    entry = layers.Input((16, 16, 3))
    first = layers.Conv2D(4, 3, padding="same")(entry)
    hidden = layers.ReLU()(layers.BatchNormalization(name="lone", **options)(first))
    hidden = layers.BatchNormalization(name="folded")(layers.Conv2D(4, 3, padding="same")(hidden))
    joined = layers.Add()([first, hidden])
    last = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(joined))
    return unsettled(tf.keras.Model(entry, last))


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}], ids=str)
def test_the_rewritten_network_computes_the_same(options: dict[str, bool]) -> None:
    model = network(**options)
    rewritten, names = rewrite(model)
    assert names == ["lone"]
    pixels = np.random.default_rng(2).random((4, 16, 16, 3), np.float32)
    assert np.abs(model(pixels) - rewritten(pixels)).max() < 1e-6


def test_a_last_layer_that_is_very_sure_does_not_matter() -> None:
    model = network()
    kernel, bias = model.layers[-1].get_weights()
    pixels = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)  # those of the proof
    logits = tf.keras.Model(model.inputs, model.layers[-1].input)(pixels).numpy()[0] @ (1e6 * kernel)
    bias[:] = logits.max() - logits  # all answers nearly tie, so the smallest difference decides
    model.layers[-1].set_weights([1e6 * kernel, bias])
    assert rewrite(model)[1] == ["lone"]


def test_the_file_has_one_depthwise_convolution_in_place_of_two_operators() -> None:
    model = network()
    before, after = (
        [operator.name for operator in read_model(float_flatbuffer(one)).main.operators]
        for one in (model, rewrite(model)[0])
    )
    assert (before.count("MUL"), before.count("ADD")) == (1, 2)
    assert (after.count("MUL"), after.count("ADD"), after.count("DEPTHWISE_CONV_2D")) == (0, 1, 1)


def test_a_convolution_with_an_activation_or_a_second_reader_folds_nothing() -> None:
    entry = layers.Input((16, 16, 3))
    hidden = layers.BatchNormalization(name="after_relu")(layers.Conv2D(4, 3, activation="relu")(entry))
    assert lone_batchnorms(tf.keras.Model(entry, hidden)) == ["after_relu"]


def test_a_batchnorm_of_features_or_of_another_axis_is_left_alone() -> None:
    entry = layers.Input((16, 16, 3))
    rows = layers.BatchNormalization(axis=1, name="rows")(entry)
    features = layers.Dense(4, activation="relu")(layers.Flatten()(rows))
    model = tf.keras.Model(entry, layers.BatchNormalization(name="features")(features))
    assert rewrite(model) == (model, [])


@pytest.mark.parametrize(
    ("name", "size", "count"), [("resnet50v2", 32, 17), ("inceptionv3", 75, 0), ("efficientnetv2b0", 32, 0)]
)
def test_the_networks_have_as_many_as_they_are_known_to_have(name: str, size: int, count: int) -> None:
    model = build(name, size, 3)
    assert len(lone_batchnorms(model)) == count


def test_a_network_without_any_is_given_back_as_it_is() -> None:
    entry = layers.Input((8, 8, 3))
    model = tf.keras.Model(entry, layers.Conv2D(2, 3)(entry))
    assert rewrite(model) == (model, [])
