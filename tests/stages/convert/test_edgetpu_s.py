"""EfficientNet-EdgeTPU-S has the published size and goes through the same quantisation as every other network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tensorflow as tf
from untrained import make_trained

from stages.convert.calibration import Observer
from stages.convert.int8 import quantise
from stages.convert.network import float_flatbuffer
from stages.convert.pointwise import pointwise
from stages.convert.ranges import minimum_maximum
from stages.edgetpu.gate import check
from stages.models import build, load_models
from stages.tflite.model import float_tensors, read_model
from stages.tflite.sizes import sizes, weights
from stages.trained import load_trained

if TYPE_CHECKING:
    from pathlib import Path

NAME, SIZE = "efficientnet-edgetpu-s", 32


def test_it_has_the_published_number_of_parameters_and_operations() -> None:
    tf.keras.utils.set_random_seed(1)
    network = build(NAME, load_models()[NAME].input_size, 1000)
    trainable = sum(int(np.prod(one.shape)) for one in network.trainable_weights)
    assert trainable == pytest.approx(5.44e6, rel=1e-3)  # timm's model card of efficientnet_es
    # Vitis AI's model zoo counts 4.72 billion operations of the original checkpoint at 224 px, two a multiplication
    assert 2 * multiplications(network) == pytest.approx(4.72e9, rel=5e-3)


def multiplications(network: tf.keras.Model) -> int:
    """Count those of convolutions and dense layers: each weight is used at every place of the output."""
    total = 0
    for layer in network.layers:
        if isinstance(layer, (tf.keras.layers.Conv2D, tf.keras.layers.DepthwiseConv2D, tf.keras.layers.Dense)):
            places = int(np.prod(layer.output_shape[1:-1]))
            total += places * int(np.prod(layer.weights[0].shape))
    return total


def test_it_is_quantised_by_the_same_pipeline(tmp_path: Path, blobs: Path) -> None:
    network, _ = load_trained(make_trained(tmp_path / NAME, blobs, NAME, SIZE))
    flatbuffer = float_flatbuffer(network)
    pixels = np.random.default_rng(1).integers(0, 256, (4, SIZE, SIZE, 3), dtype=np.uint8)
    ranges = minimum_maximum(Observer(flatbuffer, pixels.__getitem__, SIZE, 1).statistics(range(4)))
    content = quantise(flatbuffer, ranges)
    model = read_model(content)
    assert float_tensors(model) == []
    assert {one.name for one in model.main.operators} <= {
        "ADD", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MEAN", "QUANTIZE", "SOFTMAX",
    }  # fmt: skip
    judged = check(content)
    assert judged["mapped"] == judged["operators"]
    places = set(pointwise(model))
    narrow = sum(one.count for one in weights(model) if one.place in places)
    assert narrow > 0.7 * sum(one["weights"] for one in sizes(model)["weights"])
