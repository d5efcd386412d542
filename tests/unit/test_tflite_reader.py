"""The reader of TFLite files: right about real files, and calm about files that lie."""

from __future__ import annotations

import contextlib
import struct
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.tflite.flat import INT32, MOST_WORK, UINT8, Buffer, MalformedFile
from stages.tflite.model import describe, float_tensors, inputs_and_outputs, operator_counts, read_model
from stages.tflite.names import OPERATORS, operator_name, tensor_type_name

FIXTURES = Path(__file__).parent.parent / "fixtures" / "edgetpu"
SHARED_MODELS = Path(__file__).parents[3] / "shared" / "edgetpu" / "models"
GABOR = (FIXTURES / "gabor_64x64_p4.tflite").read_bytes()
SEEDS = [
    GABOR,
    (FIXTURES / "split_concat.tflite").read_bytes(),
    (FIXTURES / "gabor_64x64_p4_edgetpu.tflite").read_bytes(),
]


def test_operators_come_with_version_and_count() -> None:
    assert operator_counts(read_model(GABOR)) == [
        {"name": "AVERAGE_POOL_2D", "version": 1, "count": 1},
        {"name": "DEPTHWISE_CONV_2D", "version": 1, "count": 1},
        {"name": "QUANTIZE", "version": 1, "count": 2},
    ]


def test_inputs_and_outputs_come_with_their_quantisation() -> None:
    inputs, outputs = inputs_and_outputs(read_model(GABOR))
    assert describe(inputs[0]) == {
        "shape": [1, 64, 64, 1],
        "dtype": "uint8",
        "scale": pytest.approx(1 / 255),
        "zero_point": 0,
    }
    assert describe(outputs[0])["shape"] == [1, 16, 16, 8]


def test_a_custom_operator_has_its_own_name() -> None:
    compiled = read_model((FIXTURES / "gabor_64x64_p4_edgetpu.tflite").read_bytes())
    assert operator_counts(compiled) == [{"name": "edgetpu-custom-op", "version": 1, "count": 1}]


def test_float_tensors_are_found_by_name() -> None:
    invalid = read_model((FIXTURES / "model_invoking_error.tflite").read_bytes())
    assert len(float_tensors(invalid)) == 1
    assert float_tensors(read_model(GABOR)) == []


def test_numbers_of_a_newer_schema_stay_numbers() -> None:
    assert operator_name(OPERATORS.index("CONV_2D")) == "CONV_2D"
    assert operator_name(9999) == "OPERATOR_9999"
    assert (tensor_type_name(9), tensor_type_name(99)) == ("int8", "type_99")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "mark"),
        (b"\x89PNG\r\n\x1a\n" * 4, "mark"),
        (b"\x00\x00\x00\x00TFL3", "lie outside|version|vtable"),
        (b"\xff\xff\xff\x7fTFL3" + bytes(64), "lie outside"),
        (GABOR[: len(GABOR) // 2], "lie outside"),
    ],
)
def test_what_is_no_tflite_file_is_called_so(content: bytes, words: str) -> None:
    with pytest.raises(MalformedFile, match=words):
        read_model(content)


def test_a_vector_that_claims_two_gigabytes_is_refused_before_it_is_read() -> None:
    with pytest.raises(MalformedFile, match="lie outside"):
        Buffer(struct.pack("<I", 2**31 - 1) + bytes(64)).numbers(INT32, 0)


def test_a_position_before_the_file_is_refused() -> None:
    with pytest.raises(MalformedFile, match="lie outside"):
        Buffer(bytes(64)).number(UINT8, -1)


def test_one_table_named_many_times_is_refused_in_time() -> None:
    entries = 100_000
    # Forward offsets only: the vector stands first and every entry points to the one table behind it.
    table_at = 4 + 4 * entries + 4  # behind count, entries and a vtable of four bytes
    offsets = [table_at - (4 + 4 * index) for index in range(entries)]
    content = struct.pack(f"<I{entries}I", entries, *offsets) + struct.pack("<HH", 4, 4) + struct.pack("<i", 4)
    began = time.perf_counter()
    with pytest.raises(MalformedFile, match="larger than that of any real model"):
        Buffer(content).tables(0)
    assert time.perf_counter() - began < 1.0
    assert entries < MOST_WORK  # it is the tables that cost, not the entries


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=5000)
@given(
    seed=st.sampled_from(SEEDS),
    edits=st.lists(st.tuples(st.integers(0, 4000), st.binary(min_size=1, max_size=8)), max_size=6),
    cut=st.integers(0, 64),
)
def test_damaged_files_are_read_or_refused_and_nothing_else(
    seed: bytes, edits: list[tuple[int, bytes]], cut: int
) -> None:
    damaged = bytearray(seed[: len(seed) - cut])
    for position, new in edits:
        damaged[position : position + len(new)] = new
    with contextlib.suppress(MalformedFile):
        model = read_model(bytes(damaged))
        operator_counts(model)
        inputs_and_outputs(model)


@settings(max_examples=200, deadline=5000)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_behind_the_mark_are_read_or_refused(rest: bytes) -> None:
    with contextlib.suppress(MalformedFile):
        read_model(rest[:4].ljust(4, b"\0") + b"TFL3" + rest[4:])


def test_every_real_model_is_read() -> None:
    if not SHARED_MODELS.is_dir():
        pytest.skip("the folder of real models (shared/edgetpu/models beside the project) is not here")
    paths = sorted(SHARED_MODELS.rglob("*.tflite"))
    models = {path: read_model(path.read_bytes()) for path in paths}
    assert len(models) >= 30
    for path, model in models.items():
        names = [entry["name"] for entry in operator_counts(model)]
        assert ("edgetpu-custom-op" in names) == path.stem.endswith("_edgetpu"), path.name
