"""1x1 convolutions as dense layers, and weights of four bits: nothing but the rounding changes what a file computes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from deployed import run
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import CLASSES
from tensorflow.lite.tools import flatbuffer_utils

from stages.contract import InputError, Step
from stages.convert import narrowed
from stages.convert.__main__ import conversion
from stages.convert.calibration import Observer
from stages.convert.constants import KERNEL, own_buffer
from stages.convert.int8 import quantise
from stages.convert.narrow import RULES, narrowable, packed, stand_in
from stages.convert.network import float_flatbuffer
from stages.convert.pointwise import as_dense, pointwise
from stages.convert.ranges import minimum_maximum
from stages.convert.rounding import gram, highest, in_turn, nearest_codes, to_nearest
from stages.convert.source import Source
from stages.images import ImageSet
from stages.tflite.model import read_model
from stages.tflite.packed import unpack_int4
from stages.tflite.sizes import sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

layers = tf.keras.layers
SIZE = 12
FIXTURE = Path(__file__).resolve().parents[2] / "fixtures" / "int4"


def network(*, bias: bool = True, size: int = SIZE) -> Any:
    """A network of convolutions of all kinds, a squeeze-excite block among them: four are 1x1 with stride 1, one of
    them with an odd number of inputs."""
    tf.keras.utils.set_random_seed(5)
    entry = layers.Input((size, size, 3))
    hidden = layers.Conv2D(10, 3, strides=2, activation="relu")(entry)
    hidden = layers.Conv2D(16, 1, activation="relu6", use_bias=bias)(hidden)
    hidden = layers.DepthwiseConv2D(3, padding="same")(hidden)
    gate = layers.Reshape((1, 1, 16))(layers.GlobalAveragePooling2D()(hidden))
    gate = layers.Conv2D(16, 1, activation="sigmoid")(layers.Conv2D(3, 1, activation="relu")(gate))
    hidden = layers.Conv2D(8, 1)(layers.Multiply()([hidden, gate]))
    hidden = layers.Conv2D(8, 1, strides=2)(hidden)
    return tf.keras.Model(entry, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(hidden)))


@pytest.fixture(scope="module")
def flatbuffer() -> bytes:
    return float_flatbuffer(network())


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    return np.random.default_rng(4).integers(0, 256, (24, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def int8(flatbuffer: bytes, pictures: NDArray[np.uint8]) -> bytes:
    observer = Observer(flatbuffer, pictures.__getitem__, SIZE, 1)
    return quantise(flatbuffer, minimum_maximum(observer.statistics(range(len(pictures)))))


def dense(content: bytes) -> bytes:
    """Rewrite all 1x1 convolutions and nothing else."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    for place in pointwise(read_model(content)):
        operator = model.subgraphs[0].operators[place]
        own_buffer(model, operator, KERNEL)
        as_dense(model, operator)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


@pytest.mark.parametrize("bias", [True, False])
def test_a_rewritten_float_file_computes_the_same(bias: bool, pictures: NDArray[np.uint8]) -> None:
    content = float_flatbuffer(network(bias=bias))
    # a few steps of the last bit: kernels of convolutions and dense layers add up in another order
    assert np.allclose(run(dense(content), pictures), run(content, pictures), rtol=0, atol=4e-7)


def test_a_rewritten_int8_file_computes_exactly_the_same(int8: bytes, pictures: NDArray[np.uint8]) -> None:
    assert np.array_equal(run(dense(int8), pictures), run(int8, pictures))


def test_shapes_activations_and_versions_follow(flatbuffer: bytes) -> None:
    before, after = read_model(flatbuffer).main, read_model(dense(flatbuffer)).main
    places = pointwise(read_model(flatbuffer))
    assert [before.tensors[before.operators[place].inputs[1]].shape for place in places] == [
        (16, 1, 1, 10),
        (3, 1, 1, 16),
        (16, 1, 1, 3),
        (8, 1, 1, 16),
    ]
    for place in places:
        old, new = before.operators[place], after.operators[place]
        assert (new.name, new.version) == ("FULLY_CONNECTED", 5)
        assert new.options["keep_num_dims"]
        assert new.options["fused_activation"] == old.options["fused_activation"]
        shape = before.tensors[old.inputs[1]].shape
        assert after.tensors[new.inputs[1]].shape == (shape[0], shape[3])
        assert after.tensors[new.outputs[0]].shape == before.tensors[old.outputs[0]].shape
    others = [place for place in range(len(before.operators)) if place not in places]
    assert all(before.operators[place] == after.operators[place] for place in others)


def test_the_stand_in_changes_weights_and_biases_of_those_layers_alone(
    int8: bytes, pictures: NDArray[np.uint8]
) -> None:
    before, after = read_model(int8).main, read_model(stand_in(int8, pictures, RULES["nearest"])).main
    narrow = {index for place in narrowable(read_model(int8)) for index in before.operators[place].inputs[1:]}
    for index, (old, new) in enumerate(zip(before.tensors, after.tensors, strict=True)):
        assert (bytes(old.data) == bytes(new.data) and old.scales == new.scales) or index in narrow
    for place in narrowable(read_model(int8)):
        codes = np.frombuffer(after.tensors[after.operators[place].inputs[1]].data, np.int8)
        assert np.abs(codes).max() == 7


def test_packing_keeps_every_code_and_scale(int8: bytes, pictures: NDArray[np.uint8]) -> None:
    stand = stand_in(int8, pictures, RULES["least output error"])
    whole, half = read_model(stand).main, read_model(packed(stand)).main
    for place in narrowable(read_model(stand)):
        one, other = (graph.tensors[graph.operators[place].inputs[1]] for graph in (whole, half))
        assert other.dtype == "int4"
        codes = np.frombuffer(one.data, np.int8)
        assert np.array_equal(unpack_int4(other.data, len(codes)), codes)
        assert one.scales == other.scales
    head = half.tensors[half.operators[-3].inputs[1]]
    assert (half.operators[-3].name, head.dtype) == ("FULLY_CONNECTED", "int8")


def test_the_file_that_litert_is_tested_with_is_made_by_this_code() -> None:
    # tests/stages/benchmark-litert runs both and finds no difference: its make.py writes them
    assert packed((FIXTURE / "stand-in.tflite").read_bytes()) == (FIXTURE / "packed.tflite").read_bytes()


def test_an_odd_number_of_inputs_stays_at_eight_bits(int8: bytes) -> None:
    model = read_model(int8)
    left = set(pointwise(model)) - set(narrowable(model))
    assert [model.main.tensors[model.main.operators[place].inputs[1]].shape for place in left] == [(16, 1, 1, 3)]


def test_equal_zero_points_stand_once_and_are_read_as_before(int8: bytes, pictures: NDArray[np.uint8]) -> None:
    content = packed(stand_in(int8, pictures, RULES["nearest"]))
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    apart = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    assert read_model(apart).main == read_model(content).main
    saved = sizes(read_model(apart))["overhead_bytes"] - sizes(read_model(content))["overhead_bytes"]
    assert 0 < saved <= len(apart) - len(content)


def test_looking_at_outputs_rounds_better_than_looking_at_weights(int8: bytes, pictures: NDArray[np.uint8]) -> None:
    wanted = run(int8, pictures)
    apart = {
        name: np.abs(run(stand_in(int8, pictures, rule), pictures) - wanted).mean() for name, rule in RULES.items()
    }
    assert apart["least output error"] < apart["nearest"]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(2, 8), st.integers(0, 2**32 - 1))
def test_codes_fit_and_no_share_of_the_range_is_better(outputs: int, inputs: int, bits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(outputs, inputs))
    squares = gram(rng.normal(size=(20, inputs)).astype(np.float32) * rng.uniform(0.1, 3, inputs).astype(np.float32))
    most = highest(bits)

    def cost(codes: Any, scales: Any) -> Any:
        change = codes * scales[:, None] - weights
        return np.einsum("oi,ij,oj->o", change, squares, change)

    codes, scales = to_nearest(weights, squares, bits)
    assert np.abs(codes).max() <= most
    full = np.abs(weights).max(axis=1) / most
    assert np.all(cost(codes, scales) <= cost(nearest_codes(weights / full[:, None], bits), full) + 1e-12)
    turned, _ = in_turn(weights, squares, bits)
    assert np.abs(turned).max() <= most


def test_two_bits_have_four_codes_that_suit_a_bell_curve_better_than_three() -> None:
    values = np.random.default_rng(0).normal(size=(1, 200_000))
    codes, scales = to_nearest(values, None, 2)
    assert sorted(set(codes.ravel().tolist())) == [-3, -1, 1, 3]
    error = float(np.mean((codes * scales[:, None] - values) ** 2))
    assert error == pytest.approx(0.1188, abs=2e-3)  # Max 1960, table II; 0.190 with codes -1, 0 and 1
    assert 2 * scales[0] == pytest.approx(0.9957, rel=0.05)


def test_a_channel_of_zeros_stays_zero() -> None:
    weights = np.zeros((2, 4))
    for rule in (to_nearest, in_turn):
        codes, scales = rule(weights, np.eye(4), 4)
        assert not codes.any()
        assert np.all(scales > 0)


def source(folder: Path, blobs: Path, int8: bytes, network: Any) -> Source:
    """A network of 32 px on its way to four bits, with the int8 file that it goes on from."""
    (folder / "int8").mkdir(parents=True)
    (folder / "int8" / "model.tflite").write_bytes(int8)
    values = {"recipe": "ptq-int4", "calibration_images": 24, "calibration_seed": 1, "judging_images": 12}
    inputs = {"dataset": blobs, "int8": folder / "int8"}
    step = Step("convert", "convert", values, 1, inputs, folder, None, events=io.StringIO())
    description = {"model": "inceptionv3", "input_size": 32, "classes": list(CLASSES), "validation_images": []}
    return Source(step, network, description)


def test_the_recipe_makes_the_file_and_tells_how(tmp_path: Path, blobs: Path) -> None:
    made = network(size=32)
    content = float_flatbuffer(made)
    images = ImageSet.read(Step("a", "a", {}, 1, {"dataset": blobs}, tmp_path, None))
    observer = Observer(content, lambda row: images.load(row, 32), 32, 1)
    int8 = quantise(content, minimum_maximum(observer.statistics(images.rows("train")[:16])))
    asked = source(tmp_path / "step", blobs, int8, made)
    told = conversion(asked, narrowed.convert(asked))
    narrow = [one for one in told["weights"] if one["dtype"] == "int4"]
    assert [(one["operator"], one["operators"]) for one in narrow] == [("FULLY_CONNECTED", 3)]
    assert told["quantisation"]["narrowed_operators"] == 3
    assert told["float_operators"] == {}
    assert (told["input"]["dtype"], told["output"]["dtype"]) == ("uint8", "uint8")
    scores = [one["regret"] for one in told["quantisation"]["candidates"]]
    assert len(scores) == 4
    assert told["quantisation"]["chosen"]["regret"] == min(scores)
    assert len(told["calibration"]["images"]) == 24
    assert told["payload_bytes"] + told["overhead_bytes"] < told["size_bytes"]


def test_a_damaged_int8_file_is_refused(tmp_path: Path, blobs: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        narrowed.convert(source(tmp_path, blobs, b"\0\0\0\0TFL3\xff\xff", None))


def test_a_file_without_1x1_convolutions_is_refused(tmp_path: Path, blobs: Path) -> None:
    entry = layers.Input((SIZE, SIZE, 3))
    end = layers.Dense(3, activation="softmax")(layers.Flatten()(layers.Conv2D(2, 3)(entry)))
    with pytest.raises(InputError, match="inceptionv3 has no 1x1 convolution"):
        narrowed.convert(source(tmp_path, blobs, float_flatbuffer(tf.keras.Model(entry, end)), None))
