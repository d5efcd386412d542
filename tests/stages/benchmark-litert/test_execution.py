"""What LiteRT makes of weights of four bits: the packed file is the stand-in bit for bit, and execution is measured."""

from __future__ import annotations

import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from synthetic import make_dataset

from stages.benchmark.__main__ import main
from stages.benchmark.execution import DEQUANTISED, FLOAT, INT8, NATIVE, UNPACKED, examine, judged
from stages.benchmark.single import LEAST_WEIGHTS, count, single
from stages.contract import Step
from stages.tflite.model import read_model
from stages.tflite.sizes import weights

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
PACKED, STAND_IN = FIXTURES / "int4" / "packed.tflite", FIXTURES / "int4" / "stand-in.tflite"
FLOAT16 = FIXTURES / "unet447" / "float16.tflite"
FLOAT32 = FIXTURES / "blobs" / "float32" / "model.tflite"


def answers(path: Path) -> list[int]:
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    entry, end = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    rng = np.random.default_rng(zlib.crc32(b"images"))
    found = []
    for _ in range(64):
        interpreter.set_tensor(entry["index"], rng.integers(0, 256, entry["shape"], dtype=np.uint8))
        interpreter.invoke()
        found.append(interpreter.get_tensor(end["index"])[0].tolist())
    return found


def test_the_packed_file_says_exactly_what_its_stand_in_says() -> None:
    assert answers(PACKED) == answers(STAND_IN)
    assert len({tuple(one) for one in answers(PACKED)}) > 4  # else equality would mean little


def kinds(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    return {(kind["operator"], kind["dtype"]): kind for kind in examine(path)[1]["kinds"]}


def test_dense_layers_of_four_bits_are_executed_as_such() -> None:
    numbers, told = examine(PACKED)
    found = {kind["operator"]: kind for kind in told["kinds"] if kind["dtype"] == "int4"}
    assert set(found) == {"FULLY_CONNECTED"}
    assert found["FULLY_CONNECTED"]["executed_as"] == NATIVE
    assert found["FULLY_CONNECTED"]["delegated"]
    share = next(number for number in numbers if number["metric"] == "int4_native_share")
    assert share["value"] == found["FULLY_CONNECTED"]["weights"] / share["n"]
    assert {kind["executed_as"] for kind in told["kinds"] if kind["dtype"] == "int8"} == {INT8}


def test_the_stand_in_is_executed_in_bytes() -> None:
    assert {kind["executed_as"] for kind in kinds(STAND_IN).values()} == {INT8}


def test_convolutions_of_four_bits_are_unpacked_and_say_that_they_are_only_stored_so(tmp_path: Path) -> None:
    path = tmp_path / "convolutions.tflite"
    path.write_bytes(as_convolutions(PACKED.read_bytes(), STAND_IN.read_bytes()))
    found = kinds(path)["CONV_2D", "int4"]
    assert found["executed_as"] == UNPACKED
    assert found["storage_only"]
    assert not found["delegated"]


def as_convolutions(packed: bytes, stand_in: bytes) -> bytes:
    """The stand-in with the packed weights of the other file, its operators as they are."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(stand_in, 0)
    other = schema.ModelT.InitFromPackedBuf(packed, 0)
    graph, narrow = model.subgraphs[0], other.subgraphs[0]
    for one, its in zip(graph.operators, narrow.operators, strict=True):
        kernel = narrow.tensors[its.inputs[1]] if len(its.inputs) > 1 else None
        if kernel is not None and kernel.type == schema.TensorType.INT4:
            mine = graph.tensors[one.inputs[1]]
            mine.type = schema.TensorType.INT4
            model.buffers[mine.buffer].data = other.buffers[kernel.buffer].data
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def test_floats_are_executed_as_floats_and_nothing_is_native() -> None:
    numbers, told = examine(FLOAT32)
    assert {kind["executed_as"] for kind in told["kinds"]} == {FLOAT}
    assert next(number["value"] for number in numbers if number["metric"] == "int4_native_share") == 0


@pytest.mark.parametrize(
    "path", [PACKED, STAND_IN, FLOAT32, FLOAT16], ids=["packed", "stand-in", "float32", "float16 with float16 biases"]
)
def test_a_single_operator_has_as_many_weights_as_are_asked_for_and_runs(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    for one in weights(read_model(content)):
        made = tmp_path / "single.tflite"
        made.write_bytes(single(content, one))
        (found,) = weights(read_model(made.read_bytes()))
        assert (found.operator, found.tensor.dtype) == (one.operator, one.tensor.dtype)
        assert found.count == count(one) >= LEAST_WEIGHTS
        interpreter = Interpreter(str(made), num_threads=1)
        interpreter.allocate_tensors()
        interpreter.invoke()


@pytest.mark.parametrize(
    ("dtype", "each", "wanted"),
    [
        ("int4", 0.0, NATIVE),  # read from the file
        ("int4", 0.62, NATIVE),
        ("int4", 1.1, UNPACKED),
        ("int4", 4.0, DEQUANTISED),
        ("int8", 1.1, INT8),
        ("int8", 4.0, DEQUANTISED),
        ("float16", 4.0, DEQUANTISED),
        ("float16", 2.0, FLOAT),
        ("float32", 4.0, FLOAT),
    ],
)
def test_bytes_of_memory_say_what_weights_became(dtype: str, each: float, wanted: str) -> None:
    assert judged(dtype, each) == wanted


def test_the_stage_writes_it_down(tmp_path: Path) -> None:
    blobs, out, model = make_dataset(tmp_path / "blobs", size=32), tmp_path / "out", FIXTURES / "blobs" / "ptq-int8"
    out.mkdir()
    values: dict[str, Any] = {
        "model": "inceptionv3",
        "runtime": "litert-cpu",
        "warmup_runs": 2,
        "min_runs": 20,
        "min_seconds": 0.01,
    }
    inputs = {"model": model, "dataset": blobs}
    main(Step("benchmark", "benchmark", {**values, "threads": 1}, 1, inputs, out, None, events=io.StringIO()))
    told = json.loads((out / "execution.json").read_text())
    numbers = {one["metric"]: one["value"] for one in json.loads((out / "record.json").read_text())["numbers"]}
    assert numbers["ram_bytes"] == told["ram_bytes"] > 0
    assert numbers["int4_native_share"] == 0
