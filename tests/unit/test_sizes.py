"""Bytes of weights are told from those of scales and biases, in every width, and files that lie are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.tflite.flat import MalformedFile
from stages.tflite.model import read_model
from stages.tflite.sizes import sizes, weights
from tests.tflitefiles import Op, T, tflite

WIDTHS = {"float32": 32, "float16": 16, "int8": 8, "int4": 4}


def tensors(outputs: int, inputs: int, dtype: str) -> list[T]:
    """The tensors of a dense layer with a scale for each output."""
    scales = (0.5,) * outputs if dtype.startswith("int") else ()
    size = -(-outputs * inputs * WIDTHS[dtype] // 8)
    return [
        T("in", (1, inputs)),
        T("kernel", (outputs, inputs), dtype, b"\1" * size, scales),
        T("bias", (outputs,), "int32", b"\1" * 4 * outputs, scales),
        T("out", (1, outputs)),
    ]


def dense(told: list[T]) -> bytes:
    return tflite([Op("FULLY_CONNECTED", 5, (0, 1, 2), (3,))], told, (0,), (3,))


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from(sorted(WIDTHS)))
def test_payload_and_overhead_add_up(outputs: int, inputs: int, dtype: str) -> None:
    found = sizes(read_model(dense(tensors(outputs, inputs, dtype))))
    each = 12 if dtype.startswith("int") else 0  # a scale and a zero point
    assert found["payload_bytes"] == -(-outputs * inputs * WIDTHS[dtype] // 8)
    assert found["overhead_bytes"] == outputs * (4 + 2 * each)
    assert found["weights"] == [
        {
            "operator": "FULLY_CONNECTED",
            "dtype": dtype,
            "operators": 1,
            "weights": outputs * inputs,
            "bytes": found["payload_bytes"],
        }
    ]


def test_weights_behind_a_dequantize_are_those_that_are_stored() -> None:
    told = tensors(4, 6, "float16")
    told[2] = replace(told[2], dtype="float32")
    operators = [Op("DEQUANTIZE", 1, (1,), (4,)), Op("FULLY_CONNECTED", 1, (0, 4, 2), (3,))]
    content = tflite(operators, [*told, T("real", (4, 6), "float32", scales=())], (0,), (3,))
    assert sizes(read_model(content))["payload_bytes"] == 48


def test_biases_behind_a_dequantize_are_overhead_too() -> None:
    content = (Path(__file__).parent.parent / "fixtures" / "unet447" / "float16.tflite").read_bytes()
    model = read_model(content)
    channels = [model.main.tensors[one.inputs[0]].shape for one in model.main.operators if one.name == "DEQUANTIZE"]
    assert sizes(model)["overhead_bytes"] == sum(2 * shape[0] for shape in channels if len(shape) == 1) == 24


def test_weights_that_two_operators_share_count_once() -> None:
    operators = [Op("FULLY_CONNECTED", 5, (0, 1, 2), (3,)), Op("FULLY_CONNECTED", 5, (3, 1, 2), (4,))]
    model = read_model(tflite(operators, [*tensors(6, 6, "int8"), T("more", (1, 6))], (0,), (4,)))
    assert len(weights(model)) == 2
    assert sizes(model)["payload_bytes"] == 36


@pytest.mark.parametrize("dtype", sorted(WIDTHS))
def test_weights_of_another_length_than_their_shape_s_are_refused(dtype: str) -> None:
    told = tensors(3, 5, dtype)
    told[1] = replace(told[1], data=told[1].data + b"\0")
    with pytest.raises(MalformedFile, match="kernel"):
        sizes(read_model(dense(told)))


def test_weights_of_an_unknown_type_are_refused() -> None:
    told = tensors(3, 5, "int8")
    told[1] = replace(told[1], dtype="bool")
    with pytest.raises(MalformedFile, match="bool"):
        sizes(read_model(dense(told)))
