"""The gate before the compiler: right about all compiled pairs, and about files made to be refused."""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coralline.catalogue import PROJECT
from stages.contract import InputError
from stages.edgetpu.compiled.inspection import inspect
from stages.edgetpu.compiled.operator import CUSTOM_CODE
from stages.edgetpu.fix import fix
from stages.edgetpu.gate import check
from stages.tflite.flat import MalformedFile
from stages.tflite.model import read_model
from tests.fuzz.mutate import mutate
from tests.tflitefiles import Op, T, tflite

FIXTURES = Path(__file__).parent.parent / "fixtures" / "edgetpu"
MODELS = Path(__file__).parents[3] / "shared" / "edgetpu" / "models"
needs_models = pytest.mark.skipif(
    not MODELS.is_dir(), reason="the folder of real models (shared/edgetpu/models beside the project) is not here"
)

IMAGE = T("image", (1, 8, 8, 4))
WEIGHTS = T("weights", (16, 3, 3, 4), data=bytes(range(144)) * 4)
MADE = T("block/conv/Relu", (1, 8, 8, 16))


def conv(version: int = 3, **options: int) -> Op:
    return Op("CONV_2D", version, (0, 1), (2,), options)


def one(operator: Op, *tensors: T, inputs: tuple[int, ...] = (0,)) -> dict[str, Any]:
    """Judge a file of one operator."""
    return check(tflite([operator], tensors, inputs, operator.outputs))


def integers(name: str, *values: int) -> T:
    return T(name, (len(values),), "int32", struct.pack(f"<{len(values)}i", *values), ())


# ---- real pairs


def pairs() -> list[tuple[Path, Path]]:
    found = []
    for source in sorted(MODELS.rglob("*.tflite")):
        if not source.stem.endswith("_edgetpu"):
            beside = [source.with_name(source.stem + "_edgetpu.tflite")]
            found += [
                (source, made)
                for made in beside + sorted(source.parent.glob(f"cocompilation/{source.stem}_co*"))
                if made.exists()
            ]
    return found


@needs_models
def test_what_stays_on_the_cpu_is_what_the_compiler_left_there() -> None:
    tried = pairs()
    assert len(tried) >= 15
    for source, made in tried:
        left = Counter(o.name for o in read_model(made.read_bytes()).main.operators if o.name != CUSTOM_CODE)
        told = check(source.read_bytes())
        assert told["cpu"] == left, source.name
        assert told["mapped"] == told["operators"] - sum(left.values()), source.name
        assert told["compiles"]


@needs_models
def test_parameters_are_predicted_within_two_percent_of_the_networks_in_the_compiled_files() -> None:
    compared = 0
    for source, made in pairs():
        known = read_model(source.read_bytes()).main.operators
        if made.parent.name in {"cocompilation", "old_v2.0", "old_v2.1"} or len(known) < 20:
            continue  # older generations have no SOFTMAX table, toys are mostly padding
        real = inspect(made.read_bytes())
        predicted = check(source.read_bytes())["parameters"]["bytes"]
        assert predicted == pytest.approx(real["cached_bytes"] + real["streamed_bytes"], rel=0.02), source.name
        compared += 1
    assert compared >= 5


@needs_models
@pytest.mark.parametrize(
    ("name", "index", "operator", "cuts_off"),
    [
        ("deeplabv3_mnv2_dm05_pascal_quant", 64, "RESIZE_BILINEAR", 5),
        ("deeplab_mobilenet_edgetpu_slim_cityscapes_quant", 82, "RESIZE_BILINEAR", 0),
        ("movenet_single_pose_lightning_ptq", 0, "CAST", 0),
        ("posenet_mobilenet_v1_075_353_481_16_quant_decoder", 37, "PosenetDecoderOp", 0),
    ],
)
def test_the_first_blocker_is_named(name: str, index: int, operator: str, cuts_off: int) -> None:
    blocker = check((MODELS / "test_data" / f"{name}.tflite").read_bytes())["first_blocker"]
    assert (blocker["index"], blocker["operator"], blocker["cuts_off"]) == (index, operator, cuts_off)
    assert blocker["reason"]
    assert blocker["advice"]


@needs_models
def test_a_real_file_is_judged_within_a_second() -> None:
    content = (MODELS / "test_data" / "movenet_single_pose_lightning_ptq.tflite").read_bytes()
    began = time.perf_counter()
    check(content)
    assert time.perf_counter() - began < 1.0


# ---- made files


def test_a_plain_convolution_maps() -> None:
    told = one(conv(), IMAGE, WEIGHTS, MADE)
    assert (told["operators"], told["mapped"], told["compiles"], told["reason"]) == (1, 1, True, None)
    assert told["first_blocker"] is None
    assert told["share_of_work"] == 1.0


@pytest.mark.parametrize(
    ("operator", "tensors", "reason"),
    [
        (conv(6), (IMAGE, WEIGHTS, MADE), "CONV_2D version 6 is newer than the compiler, which knows version 5"),
        (Op("GELU", 2, (0,), (1,)), (IMAGE, MADE), "operator GELU is newer than the compiler"),
        (Op("FancyOp", 1, (0,), (1,)), (IMAGE, MADE), "custom operator 'FancyOp' is unknown to the compiler"),
        (
            Op("RESHAPE", 1, (0, 1), (2,)),
            (IMAGE, T("shape", (2,), "int32", scales=()), T("flat", (1, 256))),
            "the shape of 'flat' is computed while it runs (from 'shape')",
        ),
        (
            Op("RELU", 2, (0,), (1,)),
            (IMAGE, T("out", IMAGE.shape, scales=(0.0,))),
            "a scale of 'out' is zero, negative or no number",
        ),
        (
            conv(3),
            (IMAGE, T("weights", (16, 3, 3, 2), data=bytes(288)), MADE),
            "it is a grouped convolution: 4 channels in, 2 in its weights",
        ),
        (Op("RELU", 2, (0,), (1,)), (T("image", (-1, 8, 8, 4)), MADE), "tensor 'image' has an unknown dimension"),
        (
            Op("WHERE", 1, (0,), (1,)),
            (IMAGE, T("found", (1, 4), "int64", scales=())),
            "the shape of 'found' depends on values",
        ),
    ],
)
def test_what_the_compiler_does_not_load_is_refused_whole(operator: Op, tensors: tuple[T, ...], reason: str) -> None:
    told = one(operator, *tensors)
    assert (told["compiles"], told["mapped"], told["reason"]) == (False, 0, reason)
    assert told["first_blocker"]["reason"] == reason
    assert told["cpu"] == {operator.name: 1}


def test_a_float_model_is_called_not_quantised() -> None:
    told = one(
        conv(1),
        T("image", (1, 8, 8, 4), "float32", scales=()),
        T("weights", (16, 3, 3, 4), "float32", bytes(2304), ()),
        T("made", (1, 8, 8, 16), "float32", scales=()),
    )
    assert not told["compiles"]
    assert told["reason"] is not None
    assert "not quantised" in told["reason"]


@pytest.mark.parametrize(
    ("operator", "tensors", "words"),
    [
        (conv(dilation_x=2, dilation_y=1), (IMAGE, WEIGHTS, MADE), "dilation is 2 in x and 1 in y"),
        (conv(), (IMAGE, T("weights", (16, 3, 3, 4)), MADE), "weights 'weights' are computed"),
        (conv(), (T("image", (2, 8, 8, 4)), WEIGHTS, T("made", (2, 8, 8, 16))), "only the three innermost"),
        (conv(), (T("image", (1, 8, 8, 4), "int16"), WEIGHTS, MADE), "is int16, expected int8 or uint8"),
        (conv(), (T("image", (1, 8, 8, 4), scales=()), WEIGHTS, MADE), "has no quantisation"),
        (Op("LEAKY_RELU", 2, (0,), (1,)), (IMAGE, IMAGE), "the Edge TPU has no LEAKY_RELU"),
        (
            Op("MAX_POOL_2D", 2, (0,), (1,), {"fused_activation": 1}),
            (IMAGE, T("pooled", (1, 4, 4, 4))),
            "fused activation",
        ),
        (Op("MEAN", 2, (0, 1), (2,)), (IMAGE, integers("axes", 0), T("m", (8, 8, 4))), "reduces the batch"),
        (
            Op("MEAN", 2, (0, 1), (2,)),
            (T("image", (1, 8, 8, 3)), integers("axes", -1), T("m", (1, 8, 8))),
            "reduces 3 channels",
        ),
        (
            Op("PAD", 2, (0, 1), (2,)),
            (IMAGE, integers("paddings", 0, 1, 0, 0, 0, 0, 0, 0), T("p", (2, 8, 8, 4))),
            "only the three innermost",
        ),
        (
            Op("RESIZE_BILINEAR", 3, (0, 1), (2,)),
            (IMAGE, integers("size", 64, 64), T("r", (1, 64, 64, 4))),
            "enlarges by a factor of 8",
        ),
        (
            Op("STRIDED_SLICE", 2, (0, 1, 2, 3), (4,)),
            (IMAGE, integers("b", 0, 0), integers("e", 8, 8), integers("s", 1, 2), T("o", (1, 4, 8, 4))),
            "strides are not all 1",
        ),
        (
            Op("CONCATENATION", 2, (0, 1), (2,), {"axis": 3}),
            (IMAGE, T("constant", (1, 8, 8, 4), data=b"\x01" * 256), T("o", (1, 8, 8, 8))),
            "constant input that is not zero",
        ),
        (
            Op("FULLY_CONNECTED", 5, (0, 1), (2,), {"keep_num_dims": 1}),
            (T("rows", (1, 8, 4)), T("w", (16, 4), data=bytes(64)), T("o", (1, 8, 16))),
            "output is 1x8x16, expected one dimension",
        ),
        (
            Op("PRELU", 1, (0, 1), (2,)),
            (IMAGE, T("slopes", (8, 8, 4), data=bytes(256)), IMAGE),
            "slopes differ over x or y",
        ),
        (Op("SPLIT", 2, (1, 0), (2, 3)), (IMAGE, integers("axis", 0), IMAGE, IMAGE), "along the batch"),
    ],
)
def test_an_operator_that_the_chip_cannot_take_is_named_with_its_reason(
    operator: Op, tensors: tuple[T, ...], words: str
) -> None:
    told = one(operator, *tensors)
    assert told["mapped"] == 0
    assert words in told["first_blocker"]["reason"]
    assert told["first_blocker"]["advice"]


def test_what_lies_behind_a_refused_operator_stays_on_the_cpu_with_it() -> None:
    tensors = [IMAGE, *(T(f"t{number}", IMAGE.shape) for number in range(4))]
    chain = [
        Op("RELU", 2, (0,), (1,)),
        Op("LEAKY_RELU", 2, (1,), (2,)),
        Op("RELU", 2, (2,), (3,)),
        Op("RELU6", 2, (3,), (4,)),
    ]
    told = check(tflite(chain, tensors, (0,), (4,)))
    assert [row["device"] for row in told["rows"]] == ["tpu", "cpu", "cpu", "cpu"]
    assert told["rows"][2]["status"] == "More than one subgraph is not supported"
    assert (told["first_blocker"]["index"], told["first_blocker"]["cuts_off"]) == (1, 2)


def test_a_refused_operator_at_the_start_costs_only_itself() -> None:
    tensors = [T("f", (1, 8, 8, 4), "float32", scales=()), IMAGE, T("out", IMAGE.shape)]
    told = check(tflite([Op("QUANTIZE", 1, (0,), (1,)), Op("RELU", 2, (1,), (2,))], tensors, (0,), (2,)))
    assert told["cpu"] == {"QUANTIZE": 1}
    assert told["compiles"]


def test_a_status_is_what_the_compiler_writes_of_a_float_operator() -> None:
    told = one(Op("DEQUANTIZE", 2, (0,), (1,)), IMAGE, T("f", IMAGE.shape, "float32", scales=()))
    assert told["rows"][0]["status"] == "Operation is working on an unsupported data type"
    assert told["reason"] is not None


def test_a_batch_of_two_is_the_reason_why_nothing_maps() -> None:
    told = one(Op("RELU", 2, (0,), (1,)), T("x", (2, 8, 8, 4)), T("y", (2, 8, 8, 4)))
    assert "only the three innermost dimensions" in told["reason"]


def test_an_operator_larger_than_any_that_is_known_to_map_is_a_doubt_said_once() -> None:
    sides = [T(f"side{number}", (1, 128, 128, 64)) for number in range(2)]
    tensors = [*sides, T("both", (1, 128, 128, 128)), T("more", (1, 128, 128, 192))]
    chain = [Op("CONCATENATION", 2, (0, 1), (2,), {"axis": 3}), Op("CONCATENATION", 2, (2, 1), (3,), {"axis": 3})]
    told = check(tflite(chain, tensors, (0, 1), (3,)))
    (doubt,) = [text for text in told["warnings"] if "sometimes refused" in text]
    assert "CONCATENATION" in doubt
    assert "and 1 more" in doubt
    assert told["mapped"] == 2


def test_weights_that_are_all_zero_are_warned_of() -> None:
    told = one(conv(), IMAGE, T("weights", (16, 3, 3, 4), data=bytes(576)), MADE)
    assert any("all zero" in text for text in told["warnings"])


def test_layers_with_equal_weights_are_warned_of() -> None:
    tensors = [T("image", (1, 8, 8, 16)), T("w", (16, 1, 1, 16), data=bytes(256)), *[T("x", (1, 8, 8, 16))] * 2]
    chain = [Op("CONV_2D", 3, (0, 1), (2,)), Op("CONV_2D", 3, (2, 1), (3,))]
    told = check(tflite(chain, tensors, (0,), (3,)))
    assert any("equal weights" in text for text in told["warnings"])


def test_a_compiled_file_is_sent_to_inspect() -> None:
    with pytest.raises(InputError, match="compiled for the Edge TPU already"):
        check((FIXTURES / "gabor_64x64_p4_edgetpu.tflite").read_bytes())


# ---- fix


def test_an_open_batch_is_stated() -> None:
    open_ = T("image", (1, 8, 8, 4), signature=(-1, 8, 8, 4))
    content = tflite([conv()], [open_, WEIGHTS, MADE], (0,), (2,))
    assert any("unknown dimension" in text for text in check(content)["warnings"])
    fixed, changes = fix(content)
    assert [change["kind"] for change in changes] == ["static shape"]
    assert read_model(fixed).main.tensors[0].shape_signature == (1, 8, 8, 4)
    assert not check(fixed)["warnings"]
    assert fix(fixed) == (fixed, [])


def test_a_version_is_lowered_where_the_newer_feature_is_not_used() -> None:
    content = tflite([conv(6)], [IMAGE, WEIGHTS, MADE], (0,), (2,))
    fixed, changes = fix(content)
    assert changes == [{"kind": "version", "operator": "CONV_2D", "from": 6, "to": 3}]
    assert check(fixed)["compiles"]


def test_a_grouped_convolution_keeps_its_version() -> None:
    grouped = T("weights", (16, 3, 3, 2), data=bytes(288))
    content = tflite([conv(6)], [IMAGE, grouped, MADE], (0,), (2,))
    assert fix(content) == (content, [])


def test_softmax_is_left_to_the_host_only_when_asked() -> None:
    tensors = [T("logits", (1, 3)), T("out", (1, 3)), T("out8", (1, 3), "uint8")]
    operators = [Op("RELU", 2, (0,), (0,)), Op("SOFTMAX", 2, (0,), (1,)), Op("QUANTIZE", 1, (1,), (2,))]
    content = tflite(operators, tensors, (0,), (2,))
    assert fix(content) == (content, [])
    fixed, changes = fix(content, softmax_on_host=True)
    assert changes == [{"kind": "softmax on the host", "tensor": "logits", "operators": 2}]
    graph = read_model(fixed).main
    assert ([operator.name for operator in graph.operators], graph.outputs) == (["RELU"], (0,))
    with pytest.raises(InputError, match="does not end with one SOFTMAX"):
        fix(fixed, softmax_on_host=True)


def test_a_softmax_without_an_input_is_refused() -> None:
    operators = [Op("RELU", 2, (0,), (1,)), Op("SOFTMAX", 2, (), (2,))]
    content = tflite(operators, [T("x", (1, 3)), T("y", (1, 3)), T("z", (1, 3))], (0,), (2,))
    with pytest.raises(InputError, match="has no input"):
        fix(content, softmax_on_host=True)


# ---- hostile files, small to write and long to walk: what many operators share is looked at once

MANY = 4000


def shared(operator: str, *tensors: T, inputs: tuple[int, ...] = (0, 1)) -> bytes:
    return tflite([Op(operator, 1, inputs, (len(tensors) - 1,))] * MANY, tensors, (0,), (len(tensors) - 1,))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(shared("RELU", T("x", (1,) * 300_000), IMAGE, inputs=(0,)), id="dimensions"),
        pytest.param(shared("MEAN", IMAGE, T("axes", (1,), "int32", bytes(1 << 20), ()), MADE), id="axes"),
        pytest.param(shared("CONCATENATION", IMAGE, T("zeros", (1,), data=bytes(1 << 20)), MADE), id="zeros"),
        pytest.param(shared("CONV_2D", IMAGE, T("w", (16, 3, 3, 4), data=bytes(1 << 20)), MADE), id="weights"),
        pytest.param(shared("RELU", T("x", (1, 8), scales=(0.5,) * 300_000), MADE, inputs=(0,)), id="scales"),
    ],
)
def test_what_many_operators_share_is_judged_in_a_second_of_processor_time(content: bytes) -> None:
    began = time.process_time()
    with contextlib.suppress(MalformedFile, InputError):
        check(content)
    assert time.process_time() - began < 2.0  # a second on an idle machine


# ---- hostile files

SEEDS = [
    (FIXTURES / "gabor_64x64_p4.tflite").read_bytes(),
    (FIXTURES / "split_concat.tflite").read_bytes(),
    tflite([conv(6)], [IMAGE, WEIGHTS, MADE], (0,), (2,)),
]


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=5000)
@given(seed=st.sampled_from(SEEDS), case=st.integers(0, 10**9))
def test_damaged_files_are_judged_whole_or_refused(seed: bytes, case: int) -> None:
    with contextlib.suppress(MalformedFile, InputError):
        told = check(mutate(seed, case))
        assert told["mapped"] + sum(told["cpu"].values()) == told["operators"]


def ask(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stages.edgetpu", *words], cwd=PROJECT, capture_output=True, text=True, check=False
    )


def test_by_itself_it_prints_one_object() -> None:
    told = ask("check", str(FIXTURES / "gabor_64x64_p4.tflite"))
    assert (told.returncode, json.loads(told.stdout)["mapped"]) == (0, 4)


def test_what_is_no_model_ends_with_code_2_and_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(b"no model")
    told = ask("check", str(tmp_path / "x.tflite"))
    problem = json.loads(told.stdout)
    assert told.returncode == 2
    assert "x.tflite" in problem["message"]
    assert problem["remedy"]
    assert not told.stderr
