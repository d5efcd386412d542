"""How an int8 file rounds is read by place: also where a QUANTIZE puts an activation into other steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf

from stages.convert.calibration import Observer
from stages.convert.int8 import quantise
from stages.convert.judge import predict
from stages.convert.network import float_flatbuffer
from stages.convert.ranges import RULES
from stages.convert.simulation import Simulation
from stages.convert.steps import UnsimulatedError, rounding
from stages.images import as_floats
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

layers = tf.keras.layers
SIZE = 8
SIGMOID = (0.0, 255 / 256)  # TensorFlow's specification of int8: LOGISTIC has the scale 1/256 and the zero point -128


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (24, SIZE, SIZE, 3), np.uint8)


def network(*extra: Any) -> bytes:
    """A network that joins a sigmoid with what it is the sigmoid of: both get the steps of the wider one."""
    tf.keras.utils.set_random_seed(4)
    entry = layers.Input((SIZE, SIZE, 3))
    wide = layers.Conv2D(4, 3, activation="relu", kernel_initializer=tf.keras.initializers.RandomNormal(0, 1))(entry)
    joined = layers.Concatenate()([wide, layers.Activation("sigmoid")(wide)])
    for layer in extra:
        joined = layer(joined)
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1)(joined))
    return float_flatbuffer(tf.keras.Model(entry, layers.Dense(3, activation="softmax")(pooled)))


def int8(flatbuffer: bytes, pixels: NDArray[np.uint8]) -> bytes:
    observer = Observer(flatbuffer, pixels.__getitem__, SIZE, 1)
    return quantise(flatbuffer, RULES["minimum-maximum"](observer.statistics(range(len(pixels)))))


def test_an_activation_that_is_put_into_other_steps_is_rounded_to_both(pixels: NDArray[np.uint8]) -> None:
    flatbuffer = network()
    content, graph = int8(flatbuffer, pixels), read_model(flatbuffer).main
    found = rounding(graph, content)
    names = [operator.name for operator in graph.operators]
    sigmoid, joined = names.index("LOGISTIC"), names.index("CONCATENATION")
    which = graph.operators[joined].inputs.index(graph.operators[sigmoid].outputs[0])
    assert found.made[sigmoid] == pytest.approx(SIGMOID)
    assert found.taken[joined, which] == found.made[joined]
    assert found.made[joined][1] > 2 * SIGMOID[1]


def test_what_is_simulated_is_the_file(pixels: NDArray[np.uint8]) -> None:
    flatbuffer = network()
    content = int8(flatbuffer, pixels)
    said = Simulation(flatbuffer, content)(as_floats(pixels)).numpy()
    assert np.abs(said - predict(content, pixels, 1)).max() <= 1 / 256  # the softmax of the file is rounded


def test_the_file_of_another_graph_is_refused(pixels: NDArray[np.uint8]) -> None:
    other = int8(network(layers.ReLU()), pixels)
    with pytest.raises(UnsimulatedError, match="other operators"):
        Simulation(network(layers.MaxPooling2D()), other)
