"""How ranges come from activations, and how they get into a flatbuffer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from stages.convert.calibration import activations
from stages.convert.int8 import quantise, write_ranges
from stages.convert.network import float_flatbuffer
from stages.convert.ranges import RULES, Statistics, change, clip_swish, minimum_maximum, swish_inputs
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
    return float_flatbuffer(model)


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


def test_an_activation_that_is_always_zero_gets_a_scale(flatbuffer: bytes) -> None:
    convolution = next(operator for operator in read_model(flatbuffer).main.operators if operator.name == "CONV_2D")
    ranges = {**full(flatbuffer), convolution.outputs[0]: (0.0, 0.0)}
    graph = read_model(quantise(flatbuffer, ranges)).main
    dead = next(operator for operator in graph.operators if operator.name == "CONV_2D")
    assert graph.tensors[dead.outputs[0]].scales == (pytest.approx(1 / 255),)


def test_writing_ranges_changes_no_weight(flatbuffer: bytes) -> None:
    before, after = read_model(flatbuffer), read_model(write_ranges(flatbuffer, full(flatbuffer)))
    assert before.main.operators == after.main.operators
    assert [tensor.shape for tensor in before.main.tensors] == [tensor.shape for tensor in after.main.tensors]


@st.composite
def statistics(draw: st.DrawFn) -> Statistics:
    count, images = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    values = draw(st.lists(st.floats(-100, 100, width=32), min_size=2 * count * images, max_size=2 * count * images))
    pairs = np.sort(np.array(values, np.float32).reshape(2, count, images), axis=0)
    return Statistics(tuple(range(count)), pairs[0], pairs[1])


@given(statistics())
def test_every_rule_stays_within_minimum_and_maximum(seen: Statistics) -> None:
    widest = minimum_maximum(seen)
    for rule in RULES.values():
        for index, (low, high) in rule(seen).items():
            assert widest[index][0] - 1e-3 <= low <= high + 1e-3
            assert high <= widest[index][1] + 1e-3


@given(statistics(), statistics())
def test_statistics_join_image_by_image(one: Statistics, other: Statistics) -> None:
    if len(one.tensors) != len(other.tensors):
        return
    joined = one.joined(other)
    assert joined.images == one.images + other.images
    both = [minimum_maximum(part) for part in (one, other)]
    assert minimum_maximum(joined) == {
        index: (min(part[index][0] for part in both), max(part[index][1] for part in both)) for index in one.tensors
    }


def test_one_odd_image_sets_the_range_of_minimum_maximum_alone() -> None:
    lows, highs = np.zeros((1, 100), np.float32), np.ones((1, 100), np.float32)
    highs[0, 7] = 1000
    seen = Statistics((0,), lows, highs)
    assert minimum_maximum(seen)[0][1] == 1000
    assert RULES["quantile-90"](seen)[0][1] == 1
    assert RULES["mean-of-extremes"](seen)[0][1] == pytest.approx(10.99)


def test_swish_inputs_are_cut_where_swish_is_nothing() -> None:
    ranges: Ranges = {0: (-50.0, 9.0), 1: (-50.0, 9.0), 2: (-3.0, 9.0)}
    assert clip_swish(ranges, {0, 2}) == {0: (-8.0, 9.0), 1: (-50.0, 9.0), 2: (-3.0, 9.0)}


def test_swish_is_found_in_a_graph_and_a_plain_sigmoid_is_not() -> None:
    entry = tf.keras.layers.Input((8, 8, 3))
    swish = tf.keras.layers.Conv2D(4, 3, activation="swish")(entry)
    gate = tf.keras.layers.Conv2D(4, 1, activation="sigmoid")(swish)
    model = tf.keras.Model(entry, tf.keras.layers.Multiply()([swish, gate]))
    graph = read_model(float_flatbuffer(model))
    found = swish_inputs(graph)
    readers = [operator.name for operator in graph.main.operators if found & set(operator.inputs)]
    assert sorted(readers) == ["LOGISTIC", "MUL"]
    assert [operator.name for operator in graph.main.operators].count("LOGISTIC") == 2


def test_the_change_of_ranges_is_relative_to_their_width() -> None:
    assert change({0: (0.0, 1.0), 1: (0.0, 10.0)}, {0: (0.0, 1.0), 1: (0.0, 10.0)}) == 0
    assert change({0: (0.0, 1.0)}, {0: (0.0, 2.0)}) == 0.5
