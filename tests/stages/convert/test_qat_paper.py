"""qat-int8-paper: the converter's file of a network that TFMOT annotated in part, on a small network of known kinds."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from deployed import run

import stages.network
from stages.contract import Step
from stages.convert.__main__ import main
from stages.images import ImageSet, as_floats
from stages.network import SCHEMA, VERSION
from stages.qat.stock import DESCRIBED, load_simulated, simulated
from stages.tflite.model import float_tensors, read_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


SIZE = 32
BATCHES = 3
# TFMOT serialises initialisers in a way that Keras 2.15 finds improper.
pytestmark = pytest.mark.filterwarnings("ignore:The `keras.initializers.serialize:UserWarning")


def small(size: int, classes: int) -> Any:
    """Build a network whose BatchNorm, swish and mean lie between annotated layers."""
    layers = tf.keras.layers
    entry = layers.Input((size, size, 3))
    first = layers.BatchNormalization()(layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(entry))
    second = layers.DepthwiseConv2D(3, padding="same")(layers.Activation("swish")(first))
    pooled = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.BatchNormalization()(second)))
    return tf.keras.Model(entry, layers.Dense(classes, activation="softmax")(pooled))


@pytest.fixture
def artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Path]:
    """Write what the qat stage would leave after a few batches of images as bright as told."""
    monkeypatch.setattr(stages.network, "build", lambda _name, size, classes: small(size, classes))

    def make(brightest: float) -> Path:
        tf.keras.utils.set_random_seed(1)
        network = simulated(small(SIZE, 3))
        pixels = np.random.default_rng(1).random((BATCHES, 8, SIZE, SIZE, 3), np.float32)
        for batch in pixels * brightest / pixels.max():
            network(batch, training=True)
        folder = tmp_path / "qat"
        folder.mkdir()
        network.save_weights(str(folder / "weights.h5"), save_format="h5")
        description = {
            "schema": SCHEMA,
            "version": VERSION,
            "model": "resnet50v2",
            "input_size": SIZE,
            "classes": ["cc_numu", "cc_nue", "nc"],
            "batchnorm_momentum": 0.0,
            "validation_images": [],
            **DESCRIBED,
        }
        (folder / "model.json").write_text(json.dumps(description))
        return folder

    return make


def convert(folder: Path, trained: Path, dataset: Path) -> Step:
    folder.mkdir()
    inputs = {"model": trained, "dataset": dataset}
    step = Step("convert", "convert", {"recipe": "qat-int8-paper"}, 1, inputs, folder, None, events=io.StringIO())
    main(step)
    return step


@pytest.mark.parametrize(("brightest", "entry"), [(1.0, "uint8"), (0.5, "float32")])
def test_the_file_says_what_the_simulation_says_and_what_stayed_float(
    tmp_path: Path, blobs: Path, artifact: Callable[[float], Path], brightest: float, entry: str
) -> None:
    trained = artifact(brightest)
    made = convert(tmp_path / "out", trained, blobs)
    content = (made.out / "model.tflite").read_bytes()
    told = json.loads((made.out / "conversion.json").read_text())
    # Bytes go in as they are only where the training saw the whole range of an image.
    assert (told["input"]["dtype"], told["output"]["dtype"]) == (entry, "uint8")
    assert told["float_operators"]["LOGISTIC"] == 1
    assert float_tensors(read_model(content))
    assert {"MUL", "ADD"} <= {one["name"] for one in told["operators"]}  # BatchNorm is not folded
    assert isinstance(made.events, io.StringIO)
    assert "compute in float: the Edge TPU takes none of them" in made.events.getvalue()
    images = ImageSet.read(made)
    pictures = np.stack([images.load(row, SIZE) for row in images.rows("test")])
    network = load_simulated(trained)
    assert np.abs(run(content, pictures) - network(as_floats(pictures), training=False)).max() < 0.05
