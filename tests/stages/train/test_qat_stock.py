"""The stock simulation is TFMOT's own: what is annotated, where ranges begin and how they move, what learning is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from simulating import SIZE, small

from stages.contract import Step
from stages.models import build
from stages.qat.stock import ANNOTATED, simulated
from stages.qat.ways.qat_int8_paper import Labelled

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.filterwarnings("ignore:The `keras.initializers.serialize:UserWarning")


@pytest.fixture
def network() -> Any:
    tf.keras.utils.set_random_seed(3)
    return simulated(small(SIZE, 3))


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.float32]:
    return np.random.default_rng(1).random((4, SIZE, SIZE, 3), np.float32)


def variable(network: Any, layer: str, name: str) -> NDArray[np.float32]:
    found = [one for one in network.get_layer(layer).weights if one.name.rpartition("/")[2] == f"{name}:0"]
    return np.asarray(found[0])


def test_kernels_of_convolutions_and_dense_layers_are_quantised_and_nothing_is_folded(network: Any) -> None:
    kernels = [one.name for one in network.layers if any("kernel_min" in weight.name for weight in one.weights)]
    assert kernels == ["quant_first", "quant_second", "quant_third", "quant_head"]
    assert {"lone", "bn"} <= {one.name for one in network.layers}  # not wrapped


def test_a_depthwise_kernel_has_one_range(network: Any) -> None:
    assert variable(network, "quant_third", "depthwise_kernel_min").shape == (1,)
    assert variable(network, "quant_first", "kernel_min").shape == (6,)


def test_ranges_begin_at_six_and_move_by_a_thousandth(network: Any, pixels: NDArray[np.float32]) -> None:
    name = "post_activation_max"
    assert variable(network, "quant_second", name) == 6
    inner = tf.keras.Model(network.input, network.get_layer("quant_relu").output)
    before = tf.nn.conv2d(inner(pixels), variable(network, "quant_second", "kernel"), 1, "SAME")
    assert np.abs(before).max() < 6
    network(pixels, training=True)
    moved = 6 - float(variable(network, "quant_second", name))
    assert 0 < moved <= 0.001 * 6
    network(pixels, training=False)
    assert 6 - float(variable(network, "quant_second", name)) == moved


def labelled(teacher: Any) -> Labelled:
    nothing = np.zeros((0, SIZE, SIZE, 3), np.uint8)
    return Labelled(Step("qat", "qat", {}, 1, {}, Path(), None), teacher, nothing)


def test_it_has_the_weights_of_the_float_network_which_stays_as_it_is(pixels: NDArray[np.float32]) -> None:
    tf.keras.utils.set_random_seed(3)
    plain = small(SIZE, 3)
    before = plain.get_weights()
    way = labelled(plain)
    assert np.array_equal(variable(way.network, "quant_second", "kernel"), plain.get_layer("second").kernel)
    way.network(pixels, training=True)
    assert all(np.array_equal(one, two) for one, two in zip(before, plain.get_weights(), strict=True))


def test_its_loss_is_the_cross_entropy_of_the_labels(pixels: NDArray[np.float32]) -> None:
    way = labelled(small(SIZE, 3))
    outputs = tf.constant([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])
    assert np.allclose(way.losses(pixels, outputs, tf.constant([0, 2])), -np.log([0.5, 0.7]), atol=1e-5)


@pytest.mark.parametrize("name", ["efficientnetv2b0"])
def test_a_real_network_with_layers_that_tfmot_cannot_wrap_is_simulated(name: str) -> None:
    plain = build(name, SIZE, 3)
    network = simulated(plain)
    wanted = [one.name for one in plain.layers if type(one).__name__ in ANNOTATED]
    assert all(network.get_layer(f"quant_{one}") for one in wanted)
    assert {weight.dtype for weight in network.weights} == {tf.float32}
