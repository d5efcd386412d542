"""The reader of compiled files gives the numbers of published ones."""

from __future__ import annotations

import json
import time

import pytest
from compiledfacts import CONTENTS, FILES, LAYERS, LEFT_ON_CPU, NUMBERS
from compiledfiles import COMPILED, SHARED_MODELS, checks, model, rows, running

from stages.edgetpu.compiled.inspection import inspect
from stages.tflite.model import read_model

DATA_TYPES = {"t0": "uint8", "t8": "int8", "t9": "int16"}


@pytest.mark.parametrize("file", FILES)
def test_bytes_are_those_of_the_published_file(file: str) -> None:
    content, expected = model(file), rows(NUMBERS)[file]
    document = inspect(content)
    assert len(content) == int(expected["size"])
    assert document["compiler"] == expected["compiler"]
    assert document["estimated_cycles"] == int(expected["cycles"])
    names = {
        "min_runtime_version": "rt",
        "cached_bytes": "cached",
        "streamed_bytes": "streamed",
        "caching_instruction_bytes": "loading",
        "scratch_bytes": "scratch",
        "narrow_bytes_per_tile": "narrow",
    }
    assert {name: document[name] for name in names} == {name: int(expected[column]) for name, column in names.items()}
    assert running(document)["instruction_bytes"] == [int(chunk) for chunk in expected["instructions"].split("+")]
    assert document["instruction_bytes"] == sum(running(document)["instruction_bytes"])


@pytest.mark.parametrize("file", FILES)
def test_operators_left_on_the_cpu_are_counted_by_kind(file: str) -> None:
    document = inspect(model(file))
    assert document["subgraphs"] == 1
    assert document["cpu_operators"] == LEFT_ON_CPU.get(file, {})


@pytest.mark.parametrize("file", FILES)
def test_packages_and_transfers_are_those_of_the_published_file(file: str) -> None:
    document, expected = inspect(model(file)), rows(CONTENTS)[file]
    operator, program = document["operators"][0], running(document)
    assert (program["name"] or "-") == expected["name"]
    assert document["package_bytes"] == operator["packages"][0]["bytes"] == int(expected["package"])
    assert ",".join(operator["keys"]) == expected["keys"]
    assert operator["chip_codes"] == (None if expected["chips"] == "-" else [int(expected["chips"])])
    tokens = {each["caching_token"] for each in operator["packages"][0]["executables"]}
    assert tokens == {expected["token"]}
    counts = document["bus_traffic"]["transfers"]
    names = ("instructions", "input", "parameters", "output", "interrupts", "fences")
    columns = ("code", "in", "param", "out", "intr", "fence")
    assert [counts[name] for name in names] == [int(expected[column]) for column in columns]
    assert document["bus_traffic"]["deterministic"] == (expected["all"] == "1")


@pytest.mark.parametrize("file", FILES)
def test_layers_are_those_of_the_published_file(file: str) -> None:
    operator = inspect(model(file))["operators"][0]
    found = [(way, layer) for way, key in (("in", "inputs"), ("out", "outputs")) for layer in operator[key]]
    expected = [line.split(" ", 2)[1:] for line in LAYERS.strip().splitlines() if line.split()[0] == file]
    assert len(found) == len(expected)
    for (way, layer), (expected_way, words) in zip(found, expected, strict=True):
        sized, shape, data_type, zero_point = words.rsplit(" ", 3)
        name = layer["name"] if len(layer["name"]) <= 45 else layer["name"][:45] + "..."
        assert (way, f"{name}:{layer['bytes']}") == (expected_way, sized)
        assert layer["shape"] == [int(side) for side in shape.split(",")]
        assert layer["data_type"] == DATA_TYPES[data_type]
        assert f"zp{layer['zero_point']}" == zero_point


@pytest.mark.parametrize("file", FILES)
def test_a_published_file_passes_all_checks_of_the_runtime(file: str) -> None:
    document = inspect(model(file))
    assert all(checks(document).values())
    assert len(checks(document)) == len(document["checks"])
    json.dumps(document, allow_nan=False)


def test_all_compiled_files_of_the_folder_have_a_row() -> None:
    if not SHARED_MODELS.is_dir():
        pytest.skip("the folder of real models (shared/edgetpu/models beside the project) is not here")
    there = {path.relative_to(SHARED_MODELS).as_posix() for path in SHARED_MODELS.rglob("*_edgetpu.tflite")}
    assert there == {f"{stem}_edgetpu.tflite" for stem in FILES.values()}


def test_scratch_that_goes_out_and_comes_back_is_bus_traffic() -> None:
    traffic = inspect(model("deeplab-slim"))["bus_traffic"]
    assert traffic["out"]["scratch"] == 1393920
    assert traffic["in"]["scratch"] == 6 * 1393920
    assert traffic["in"]["instructions"] == 262080 + 103584


def test_scales_are_those_of_the_graphs_tensors() -> None:
    operator = inspect(COMPILED)["operators"][0]
    graph = read_model(COMPILED).main
    assert operator["inputs"][0]["scale"] == graph.tensors[graph.inputs[0]].scales[0]
    assert operator["outputs"][0]["scale"] == graph.tensors[graph.outputs[0]].scales[0]


def test_the_largest_file_is_read_in_time() -> None:
    content = model("movenet")
    began = time.perf_counter()
    inspect(content)
    assert time.perf_counter() - began < 0.3
