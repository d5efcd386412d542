"""int2 as the convert stage makes it: a container in place of a TFLite file, small, and worth what it holds."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from deployed import run
from synthetic import CLASSES
from test_narrow import SIZE, network

from stages.container.file import read
from stages.container.network import restored
from stages.contract import Step
from stages.convert.__main__ import main
from stages.convert.network import float_flatbuffer
from stages.convert.recipes import int2
from stages.qat.ranging import best_ranges
from stages.tflite.model import read_model
from stages.tflite.sizes import weights

if TYPE_CHECKING:
    from stages.container.file import Container


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (24, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, pictures: np.ndarray) -> Step:
    """The stage, run on weights that were not trained on two bits: each is at the step that it is nearest to."""
    values = {"model": "resnet50v2", "recipe": "int2"}
    out = tmp_path_factory.mktemp("int2")
    step = Step("convert", "convert/resnet50v2/int2", values, 1, {"model": out}, out, None, events=io.StringIO())
    model = network()
    ranges = best_ranges(step, float_flatbuffer(model), pictures).document()
    told = {"model": "resnet50v2", "classes": list(CLASSES), "input_size": SIZE, "validation_images": []}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(int2, "load", lambda _folder: (model, {**told, "ranges": ranges}), raising=False)
        main(step)
    return step


@pytest.fixture(scope="module")
def container(made: Step) -> Container:
    return read((made.out / "model.packed").read_bytes())


def test_no_tflite_file_is_left(made: Step) -> None:
    assert sorted(path.name for path in made.out.iterdir()) == ["conversion.json", "model.packed", "record.json"]


def test_the_numbers_are_those_of_the_container(made: Step, container: Container) -> None:
    told = json.loads((made.out / "conversion.json").read_text())
    numbers = {one["metric"]: one for one in json.loads((made.out / "record.json").read_text())["numbers"]}
    assert told["storage_only"] is True
    assert {one["runtime"] for one in numbers.values()} == {"unpacked-cpu"}
    assert numbers["size_bytes"]["value"] == (made.out / "model.packed").stat().st_size
    kernels = [one for one in container.tensors if one.bits != 32]
    assert told["payload_bytes"] == sum(-(-one.codes.size * one.bits // 8) for one in kernels)
    biases = [one for one in container.tensors if one.bits == 32]
    overhead = 4 * sum(one.scales.size for one in container.tensors) + 4 * sum(one.codes.size for one in biases)
    network = weights(read_model(restored(container)))
    constants = [constant for one in network for constant in (one.tensor, one.bias) if constant is not None]
    zero_points = {constant.zero_points_at: len(constant.zero_points) for constant in constants}  # equal ones share
    assert told["overhead_bytes"] == overhead + 8 * sum(zero_points.values())
    found = {(one["operator"], one["dtype"]): one["operators"] for one in told["weights"]}
    assert found[("CONV_2D", "int2")] == 3
    assert ("FULLY_CONNECTED", "int8") in found


def test_only_1x1_convolutions_have_two_bits_each_channel_with_its_own_scale(container: Container) -> None:
    model = read_model(restored(container))
    shapes = {one.tensor.name: one.tensor.shape for one in weights(model)}
    for one in container.tensors:
        if one.bits == 2:
            assert shapes[one.name][1:3] == (1, 1)
            assert one.axis == 0
            assert len(one.scales) == one.codes.shape[0]


def test_what_it_holds_computes_with_these_very_weights(container: Container, pictures: np.ndarray) -> None:
    content = restored(container)
    graph = read_model(content).main
    stored = {one.name: one for one in container.tensors}
    for one in weights(read_model(content)):
        codes = np.frombuffer(one.tensor.data, np.int8).reshape(one.tensor.shape)
        scales = np.asarray(one.tensor.scales, np.float32)
        shape = [1] * codes.ndim
        shape[one.tensor.axis if len(scales) > 1 else 0] = len(scales)
        assert np.array_equal(stored[one.tensor.name].values(), codes * scales.reshape(shape))
    assert np.isfinite(run(content, pictures)).all()
    assert not [tensor.name for tensor in graph.tensors if tensor.dtype == "int2"]
