"""Weights as keras.applications gives them: Keras' own answers, and a head only where it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from synthetic import make_dataset
from tiny import network, step

from stages.contract import InputError
from stages.models import IMAGENET, build, load_models
from stages.network import build_from
from stages.preparation import NAME, with_preparation
from stages.train.data import Data
from stages.train.job import Job
from stages.train.settings import Settings
from stages.weights import WrongWeightsError, load_weights, start_from

if TYPE_CHECKING:
    from pathlib import Path

CLASSES, SIZE = 7, 32
PIXELS = np.random.default_rng(1).integers(0, 256, (8, SIZE, SIZE, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """Keras' own EfficientNetV2B0, which prepares bytes itself, with weights that no initialisation gives."""
    theirs = tf.keras.applications.EfficientNetV2B0(weights=None, input_shape=(SIZE, SIZE, 3), classes=CLASSES)
    for layer in theirs.layers:
        layer.momentum = 0.0  # BatchNorm takes over the statistics of the images at once, so that signals reach the end
    theirs(PIXELS, training=True)
    path = tmp_path_factory.mktemp("pretrained") / "theirs.h5"
    theirs.save_weights(str(path))
    return theirs, path


def ours(name: str, classes: int, input_values: str = "keras") -> Any:
    told = {"model": name, "input_size": SIZE, "classes": [str(one) for one in range(classes)]}
    return build_from({**told, "batchnorm_momentum": 0.0, "input_values": input_values})


def test_the_network_answers_as_the_one_that_the_weights_come_from(pretrained: tuple[Any, Path]) -> None:
    theirs, path = pretrained
    mine = ours("efficientnetv2b0", CLASSES)
    assert start_from(mine, path, "it")
    expected = theirs(PIXELS, training=False).numpy()
    assert np.ptp(expected, axis=0).max() > 1e-3  # an answer that depends on the image
    # units in the last place of float32 through a few hundred layers, as in stages/rewrite.py
    np.testing.assert_allclose(mine(PIXELS / 255, training=False).numpy(), expected, atol=1e-4)
    plain = ours("efficientnetv2b0", CLASSES, "unit")
    assert start_from(plain, path, "it")
    assert np.abs(plain(PIXELS / 255, training=False).numpy() - expected).max() > 1e-2


def test_the_preparation_is_one_more_layer_that_no_training_changes() -> None:
    plain = network()
    longer = with_preparation(plain, IMAGENET)
    assert len(longer.layers) == len(plain.layers) + 1
    assert longer.layers[1].name == NAME
    assert [one.shape for one in longer.trainable_weights] == [one.shape for one in plain.trainable_weights]
    assert all(len(layer.inbound_nodes) == 1 for layer in longer.layers)


@pytest.mark.parametrize("classes", [3, CLASSES + 1])
def test_a_head_of_other_classes_is_left_out(tmp_path: Path, classes: int) -> None:
    network(CLASSES).save_weights(str(tmp_path / "source.h5"))
    mine = network(classes)
    before = [weight.numpy() for weight in mine.layers[-1].weights]
    assert not start_from(mine, tmp_path / "source.h5", "it")
    assert all(np.array_equal(*pair) for pair in zip(before, mine.layers[-1].get_weights(), strict=True))
    other = network(CLASSES)
    load_weights(other, tmp_path / "source.h5", "it")
    assert np.array_equal(mine.layers[1].get_weights()[0], other.layers[1].get_weights()[0])


@pytest.mark.parametrize("name", ["top.h5", "top.weights.h5"])
def test_weights_without_a_head_are_taken(tmp_path: Path, name: str) -> None:
    whole = network(CLASSES)
    tf.keras.Model(whole.input, whole.layers[-2].output).save_weights(str(tmp_path / name))
    mine = network(3)
    assert not start_from(mine, tmp_path / name, "it")
    assert np.array_equal(mine.layers[1].get_weights()[0], whole.layers[1].get_weights()[0])


def test_weights_that_were_saved_with_the_preparation_are_taken(tmp_path: Path) -> None:
    source, mine = (with_preparation(network(), IMAGENET) for _ in range(2))
    source.save_weights(str(tmp_path / "source.h5"))
    assert start_from(mine, tmp_path / "source.h5", "it")
    assert all(np.array_equal(*pair) for pair in zip(source.get_weights(), mine.get_weights(), strict=True))


@pytest.mark.parametrize("classes", [3, CLASSES + 1])
def test_weights_with_the_preparation_and_of_other_classes_lack_only_the_head(tmp_path: Path, classes: int) -> None:
    source, mine = (with_preparation(network(number), IMAGENET) for number in (CLASSES, classes))
    source.get_layer(NAME).set_weights([2 * value for value in source.get_layer(NAME).get_weights()])
    source.save_weights(str(tmp_path / "source.h5"))
    head = mine.layers[-1].get_weights()
    assert not start_from(mine, tmp_path / "source.h5", "it")
    assert all(np.array_equal(*pair) for pair in zip(head, mine.layers[-1].get_weights(), strict=True))
    pairs = zip(source.layers[:-1], mine.layers[:-1], strict=True)
    for one, other in pairs:
        assert all(np.array_equal(*pair) for pair in zip(one.get_weights(), other.get_weights(), strict=True))


@pytest.mark.parametrize("classes", [CLASSES, CLASSES + 1])
def test_weights_with_the_preparation_want_a_network_that_has_it(tmp_path: Path, classes: int) -> None:
    with_preparation(network(CLASSES), IMAGENET).save_weights(str(tmp_path / "source.h5"))
    with pytest.raises(InputError, match="it cannot be used: they begin with a layer that prepares images") as caught:
        start_from(network(classes), tmp_path / "source.h5", "it")
    assert "train.input_values=keras" in caught.value.remedy


def test_a_difference_before_the_head_is_refused(tmp_path: Path) -> None:
    layers = tf.keras.layers
    entry = layers.Input((16, 16, 3))
    hidden = layers.Flatten()(layers.BatchNormalization()(layers.Conv2D(5, 3, strides=2)(entry)))
    tf.keras.Model(entry, layers.Dense(3)(hidden)).save_weights(str(tmp_path / "other.h5"))
    with pytest.raises(WrongWeightsError, match=r"needs 3x3x3x4, 4, found 3x3x3x5, 5"):
        start_from(network(), tmp_path / "other.h5", "it")


def test_a_head_that_learnt_nothing_is_told_and_not_quantised_as_it_is(tmp_path: Path, pretrained: Any) -> None:
    dataset = make_dataset(tmp_path / "set", size=SIZE, train=2, test=1)
    jobs = {}
    for epochs in (1, 0):
        one = step(tmp_path / str(epochs), dataset, model="efficientnetv2b0", input_size=SIZE, epochs=epochs)
        settings = Settings.read(one.parameters)
        one.inputs["init"] = pretrained[1]
        jobs[epochs] = Job(one, settings, Data.read(one, settings)), one
    job, told = jobs[1]
    model = job._make_model()
    assert "no last layer for 3 classes: 'predictions' starts untrained" in told.events.getvalue()  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="no last layer for 3 classes"):
        jobs[0][0]._tell_of_the_head(model)


def test_networks_that_keras_has_no_weights_of_are_not_prepared() -> None:
    with pytest.raises(InputError, match="no weights of efficientnet-edgetpu-s"):
        ours("efficientnet-edgetpu-s", 3)


@pytest.mark.parametrize("name", ["densenet", "inception_v3", "resnet_v2"])
def test_images_are_prepared_as_keras_does(name: str) -> None:
    told = {"densenet": "densenet169", "inception_v3": "inceptionv3", "resnet_v2": "resnet50v2"}[name]
    preparation = load_models()[told].prepared
    assert preparation is not None
    mean, deviation = preparation
    theirs = getattr(tf.keras.applications, name).preprocess_input(PIXELS.copy())
    np.testing.assert_allclose((PIXELS / 255 - mean) / deviation, theirs, atol=1e-5)


def test_efficientnetv2_s_has_as_many_weights_as_its_makers_say() -> None:
    mine = build("efficientnetv2-s", SIZE, 1000)
    assert 21.4e6 < mine.count_params() < 21.7e6  # arXiv:2104.00298, table 7: 22 million; Keras' documentation: 21.6
    assert mine.output_shape == (None, 1000)
    mean, deviation = load_models()["efficientnetv2-s"].prepared or ()
    np.testing.assert_allclose((PIXELS / 255 - mean) / deviation, PIXELS / 128 - 1, atol=1e-5)
