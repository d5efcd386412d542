"""Weights of 1x1 depthwise convolutions are spread without changing what a file computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.lite.python.convert import mlir_quantize

from stages.convert.calibration import activations
from stages.convert.int8 import quantise, write_ranges
from stages.convert.judge import predict
from stages.convert.network import float_flatbuffer
from stages.convert.varied import MOST, SPREAD, vary
from stages.convert.walk import Walk
from stages.edgetpu.gate import check
from stages.rewrite import rewrite
from stages.tflite.model import Tensor, read_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

layers = tf.keras.layers
CHANNELS = 64  # fewer weights the gate does not compare


@pytest.fixture(scope="module")
def flatbuffer() -> bytes:
    """Two pre-activation blocks, whose lone BatchNorms are rewritten."""
    tf.keras.utils.set_random_seed(5)
    entry = layers.Input((12, 12, 3))
    hidden = layers.Conv2D(CHANNELS, 3, padding="same")(entry)
    for _ in range(2):
        pre = layers.ReLU()(layers.BatchNormalization()(hidden))
        hidden = layers.Add()([hidden, layers.Conv2D(CHANNELS, 3, padding="same")(pre)])
    end = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(hidden))
    model = tf.keras.Model(entry, end)
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if any(name in weight.name for name in ("gamma", "beta", "moving")):
            weight.assign(rng.uniform(0.2, 2, weight.shape))
    model.layers[2].gamma.assign(np.where(np.arange(CHANNELS) == 7, 0, model.layers[2].gamma))
    return float_flatbuffer(rewrite(model)[0])


@pytest.fixture(scope="module")
def plain(flatbuffer: bytes) -> bytes:
    """The file as the converter's quantiser leaves it."""
    ranges = dict.fromkeys(activations(read_model(flatbuffer)), (-4.0, 4.0))
    ranged = write_ranges(flatbuffer, ranges)
    return bytes(mlir_quantize(ranged, input_data_type=tf.uint8, output_data_type=tf.uint8))


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    return np.random.default_rng(4).integers(0, 256, (16, 12, 12, 3), dtype=np.uint8)


def kernels(content: bytes) -> list[Tensor]:
    graph = read_model(content).main
    return [graph.tensors[one.inputs[1]] for one in graph.operators if one.name == "DEPTHWISE_CONV_2D"]


def real(kernel: Tensor) -> NDArray[np.float64]:
    return np.frombuffer(kernel.data, np.int8) * np.asarray(kernel.scales, np.float64)


def test_the_quantiser_gives_every_such_layer_the_same_weights(plain: bytes) -> None:
    values = [np.frombuffer(kernel.data, np.int8) for kernel in kernels(plain)]
    assert all(set(np.abs(one).tolist()) <= {0, MOST} for one in values)
    assert any("equal weights" in text or "shared weights" in text for text in warnings_of(equal(plain)))


def equal(content: bytes) -> bytes:
    """The same file with no channel switched off in one of the layers: their bytes are then the same."""
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    graph = model.subgraphs[0]
    for kernel in (graph.tensors[one.inputs[1]] for one in graph.operators if len(one.inputs) == 3):
        if list(kernel.shape) == [1, 1, 1, CHANNELS]:
            model.buffers[kernel.buffer].data = np.full(CHANNELS, MOST, np.uint8)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def warnings_of(content: bytes) -> list[str]:
    found: list[str] = check(content)["warnings"]
    return found


def test_spread_weights_stand_for_the_same_numbers(plain: bytes) -> None:
    for before, after in zip(kernels(plain), kernels(vary(plain)), strict=True):
        assert real(after) == pytest.approx(real(before), rel=1e-6)
        spread = np.abs(np.frombuffer(after.data, np.int8).astype(int))
        assert len(set(spread[spread > 0].tolist())) == SPREAD
        assert spread[spread > 0].min() > MOST - SPREAD
    assert 0 in np.frombuffer(kernels(vary(plain))[0].data, np.int8)  # a channel that is switched off stays so


def test_no_two_layers_share_their_weights_and_the_gate_has_nothing_to_say(plain: bytes) -> None:
    for content in (plain, equal(plain)):
        first, second = (kernel.data.tobytes() for kernel in kernels(vary(content)))
        assert first != second
        assert not any("weights" in text for text in warnings_of(vary(content)))


def test_every_operator_makes_what_it_made_before(plain: bytes, pictures: NDArray[np.uint8]) -> None:
    before, after = Walk(plain, pictures), Walk(vary(plain), pictures)
    for one, other in zip(before.operators, after.operators, strict=True):
        after.values = {**after.values, **before.values}  # each operator is given the same
        before.run(one)
        after.run(other)
        for index in one.outputs:
            apart = np.abs(before.values[index].astype(int) - after.values[index])
            assert apart.max() <= (1 if before.name(one) == "DEPTHWISE_CONV_2D" else 0)
            assert (apart > 0).mean() < 0.02


def test_the_network_says_the_same(plain: bytes, pictures: NDArray[np.uint8]) -> None:
    before, after = predict(plain, pictures, 1), predict(vary(plain), pictures, 1)
    assert np.abs(before - after).max() <= 3 / 256
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()


def test_the_bias_has_the_scale_of_input_times_weights(plain: bytes) -> None:
    for content in (plain, vary(plain)):  # so has the quantiser's own
        graph = read_model(content).main
        for one in graph.operators:
            if one.name == "DEPTHWISE_CONV_2D":
                entry, kernel, bias = (graph.tensors[index] for index in one.inputs)
                assert bias.scales == pytest.approx([entry.scales[0] * scale for scale in kernel.scales], rel=1e-6)
                assert max(abs(np.frombuffer(bias.data, "<i4").astype(np.int64))) < 2**31 - 1


def test_the_same_file_gives_the_same_bytes_and_others_stay_as_they_are(flatbuffer: bytes, plain: bytes) -> None:
    assert vary(plain) == vary(plain)
    ranges = dict.fromkeys(activations(read_model(flatbuffer)), (-4.0, 4.0))
    assert quantise(flatbuffer, ranges) == vary(plain)
    entry = layers.Input((8, 8, 3))
    wide = float_flatbuffer(tf.keras.Model(entry, layers.DepthwiseConv2D(3)(layers.Conv2D(4, 1)(entry))))
    ranged = write_ranges(wide, dict.fromkeys(activations(read_model(wide)), (-4.0, 4.0)))
    content = bytes(mlir_quantize(ranged, input_data_type=tf.uint8, output_data_type=tf.uint8))
    assert vary(content) is content


def test_many_layers_of_one_width_all_differ() -> None:
    from stages.convert.varied import _pattern

    found: set[Any] = {_pattern(CHANNELS, number).tobytes() for number in range(900)}
    assert len(found) == 900
