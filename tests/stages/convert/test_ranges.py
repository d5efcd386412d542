"""How ranges come from activations, and how they get into a flatbuffer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tensorflow as tf

from stages.convert.calibration import activations
from stages.convert.int8 import quantise, write_ranges
from stages.convert.ranges import Statistics, minimum_maximum
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from stages.convert.ranges import Ranges


@pytest.fixture(scope="module")
def flatbuffer() -> bytes:
    tf.keras.utils.set_random_seed(1)
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Input((8, 8, 3)),
            tf.keras.layers.Conv2D(4, 3, activation="relu"),
            tf.keras.layers.GlobalAveragePooling2D(),
            tf.keras.layers.Dense(2, activation="softmax"),
        ]
    )
    function = tf.function(model).get_concrete_function(tf.TensorSpec([1, 8, 8, 3], tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    converter.experimental_lower_to_saved_model = False
    return bytes(converter.convert())


def full(flatbuffer: bytes) -> Ranges:
    return dict.fromkeys(activations(read_model(flatbuffer)), (-2.0, 6.0))


def test_minimum_maximum_spans_all_images() -> None:
    lows = np.array([[-1, -3, 0], [1, 2, 0]], np.float32)
    highs = np.array([[4, 0, 2], [5, 2, 9]], np.float32)
    assert minimum_maximum(Statistics((7, 3), lows, highs)) == {7: (-3.0, 4.0), 3: (0.0, 9.0)}


def test_activations_are_the_input_and_all_results_but_no_weights(flatbuffer: bytes) -> None:
    graph = read_model(flatbuffer).main
    names = [graph.tensors[index].name for index in activations(read_model(flatbuffer))]
    assert len(names) == 1 + len(graph.operators)
    assert not any("ReadVariableOp" in name and name.endswith("Conv2D") for name in names[:1])


def test_ranges_become_scales(flatbuffer: bytes) -> None:
    graph = read_model(quantise(flatbuffer, full(flatbuffer))).main
    convolution = next(operator for operator in graph.operators if operator.name == "CONV_2D")
    result = graph.tensors[convolution.outputs[0]]
    assert result.dtype == "int8"
    assert result.scales == (pytest.approx(8 / 255),)


def test_the_input_is_forced_to_zero_to_one_whatever_the_images_held(flatbuffer: bytes) -> None:
    graph = read_model(quantise(flatbuffer, full(flatbuffer))).main
    entry = graph.tensors[graph.inputs[0]]
    assert (entry.dtype, entry.zero_points) == ("uint8", (0,))
    assert np.float32(entry.scales[0]) == np.float32(1 / 255)


def test_a_missing_range_is_an_error_and_not_an_island_of_float(flatbuffer: bytes) -> None:
    ranges = full(flatbuffer)
    graph = read_model(flatbuffer).main
    convolution = next(operator for operator in graph.operators if operator.name == "CONV_2D")
    del ranges[convolution.outputs[0]]
    with pytest.raises(RuntimeError, match="float tensors are left"):
        quantise(flatbuffer, ranges)


def test_writing_ranges_changes_no_weight(flatbuffer: bytes) -> None:
    before, after = read_model(flatbuffer), read_model(write_ranges(flatbuffer, full(flatbuffer)))
    assert before.main.operators == after.main.operators
    assert [tensor.shape for tensor in before.main.tensors] == [tensor.shape for tensor in after.main.tensors]
