"""The prediction of latency: its sums, its bounds, and what it takes from a compiled file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coralline.catalogue import PROJECT
from stages.contract import InputError
from stages.edgetpu.compiled.inspection import inspect
from stages.edgetpu.estimate import estimate, pack, time_layers
from stages.edgetpu.knowledge import read
from stages.edgetpu.survey import Layer, survey
from tests.tflitefiles import Op, T, tflite

FIXTURES = Path(__file__).parent.parent / "fixtures" / "edgetpu"
GABOR = (FIXTURES / "gabor_64x64_p4.tflite").read_bytes()
COMPILED = (FIXTURES / "gabor_64x64_p4_edgetpu.tflite").read_bytes()
MODELS = Path(__file__).parents[3] / "shared" / "edgetpu" / "models"


def convolution(size: int, channels: int) -> bytes:
    """A file of one 3x3 convolution."""
    weights = T("w", (channels, 3, 3, channels), data=bytes(9 * channels * channels))
    image = T("x", (1, size, size, channels))
    return tflite([Op("CONV_2D", 3, (0, 1), (2,))], [image, weights, T("y", image.shape)], (0,), (2,))


def test_the_parts_add_up_to_the_latency_within_its_interval() -> None:
    told = estimate(convolution(32, 64))
    latency = told["latency_ms"]
    assert sum(told["parts_ms"].values()) == pytest.approx(latency["value"])
    assert latency["low"] < latency["value"] < latency["high"]
    assert told["energy_mj"]["low"] < told["energy_mj"]["value"] < told["energy_mj"]["high"]


def test_a_network_that_does_not_fit_is_bound_by_streaming_and_told_so() -> None:
    told = estimate(convolution(4, 1024), clock="max")
    assert told["streamed_bytes"] == told["layers"][0]["parameter_bytes"] > read("latency")["cache_bytes"]["value"]
    assert told["bound"] == told["layers"][0]["bound"] == "stream"
    assert told["parts_ms"]["stream"] > told["parts_ms"]["compute"]
    assert "do not fit on the chip" in told["advice"][0]


def test_a_small_network_streams_nothing() -> None:
    told = estimate(convolution(8, 768))
    assert (told["streamed_bytes"], told["parts_ms"]["stream"]) == (0, 0)
    assert told["bound"] == told["layers"][0]["bound"] == "compute"


def test_usb_2_and_the_standard_clock_are_slower() -> None:
    content = convolution(64, 64)
    fast = estimate(content, usb=3, clock="max")["latency_ms"]["value"]
    assert estimate(content, usb=2, clock="max")["latency_ms"]["value"] > fast
    slow = estimate(content, usb=3, clock="std")
    assert slow["parts_ms"]["compute"] == pytest.approx(2 * estimate(content, clock="max")["parts_ms"]["compute"])


def test_a_compiled_file_states_its_bytes_exactly() -> None:
    told, known = estimate(GABOR, compiled=COMPILED), inspect(COMPILED)
    assert told["exact_bytes"]
    for name in ("cached_bytes", "streamed_bytes", "instruction_bytes"):
        assert told[name] == known[name]
    assert not estimate(GABOR)["exact_bytes"]


def test_layers_and_sums_agree_with_a_compiled_file() -> None:
    if not MODELS.is_dir():
        pytest.skip("the folder of real models (shared/edgetpu/models beside the project) is not here")
    compared = 0
    for made in sorted(MODELS.glob("*/*_edgetpu.tflite")):
        source = made.with_name(made.name.replace("_edgetpu.tflite", ".tflite"))
        told, known = estimate(source.read_bytes(), compiled=made.read_bytes()), inspect(made.read_bytes())
        assert told["streamed_bytes"] == known["streamed_bytes"] == sum(e["streamed_bytes"] for e in told["layers"])
        assert known["streamed_bytes"] or not any("do not fit" in text for text in told["advice"])
        compared += 1
    assert compared >= 10


def test_a_compiled_file_of_another_network_is_refused() -> None:
    with pytest.raises(InputError, match="other inputs or outputs"):
        estimate(convolution(32, 64), compiled=COMPILED)


def test_each_layer_is_bound_by_its_slowest_part() -> None:
    told = estimate(convolution(64, 64), clock="max")
    (layer,) = told["layers"]
    assert layer["transfer_ms"] == pytest.approx(told["parts_ms"]["input"] + told["parts_ms"]["output"])
    assert layer["bound"] == "transfer"


def test_a_matrix_product_of_very_many_inputs_is_streamed() -> None:
    weights = T("w", (16, 16384), data=bytes(16 * 16384))
    product = Op("FULLY_CONNECTED", 4, (0, 1), (2,))
    told = estimate(tflite([product], [T("x", (1, 16384)), weights, T("y", (1, 16))], (0,), (2,)))
    assert told["cached_bytes"] == 0
    assert told["streamed_bytes"] > 16 * 16384


def test_weights_without_a_shape_are_refused_and_not_timed() -> None:
    weights, image = T("w", (), data=bytes(16)), T("x", (1, 8, 8, 4))
    content = tflite(
        [Op("TRANSPOSE_CONV", 2, (0, 1, 2), (3,))], [T("s", (4,), data=bytes(4)), weights, image, image], (2,), (3,)
    )
    with pytest.raises(InputError, match="have 0 dimensions"):
        estimate(content)


def test_what_does_not_compile_has_no_latency() -> None:
    image = T("x", (1, 8, 8, 4), "float32", scales=())
    content = tflite([Op("RELU", 1, (0,), (1,))], [image, image], (0,), (1,))
    with pytest.raises(InputError, match="does not compile"):
        estimate(content)


@given(st.lists(st.integers(0, 1000), max_size=30), st.integers(0, 5000))
def test_whole_layers_stay_on_the_chip_in_order_while_there_is_room(sizes: list[int], room: int) -> None:
    layers = [Layer(index, "CONV_2D", "", "spatial", 1, size, 0) for index, size in enumerate(sizes)]
    kept = pack(layers, room)
    assert sum(sizes[index] for index in kept) <= room
    for index, size in enumerate(sizes):
        before = sum(sizes[other] for other in kept if other < index)
        assert (index in kept) == (before + size <= room)


def test_every_constant_says_where_it_comes_from() -> None:
    known = read("latency")
    for name, value in known.items():
        if isinstance(value, dict):
            assert "source" in value, name
    published = json.loads((PROJECT / "benchmarks" / "published.json").read_text())
    assert {entry["source"] for entry in published["networks"]} == set(published["sources"])


def test_compute_of_a_real_network_is_near_what_its_compiler_estimated() -> None:
    if not MODELS.is_dir():
        pytest.skip("the folder of real models (shared/edgetpu/models beside the project) is not here")
    folder = MODELS / "old_v2.1"
    cycles = inspect((folder / "mobilenet_v1_0.25_128_quant_edgetpu.tflite").read_bytes())["estimated_cycles"]
    seen = survey((folder / "mobilenet_v1_0.25_128_quant.tflite").read_bytes())
    layers = time_layers(seen, read("latency"), usb=3, clock="max")
    assert sum(entry["compute_ms"] for entry in layers) == pytest.approx(1e3 * cycles / 500e6, rel=0.1)
