"""The reader of compiler logs: right about every real log.

The numbers were read off the logs by eye, not printed by the reader.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coralline.console import logtext
from stages.edgetpu import gate
from stages.edgetpu.failures import catalogue
from stages.edgetpu.log import document as log
from stages.edgetpu.log import status as logstatus
from stages.edgetpu.log.words import amount
from tests.compilerlogs import V1, V14, V15, V16, V20, V20B, V20C, V21, fixture, said, size

SHARED_LOGS = Path(__file__).parents[3] / "shared" / "edgetpu" / "compiler_logs"


# Logs written by the compiler beside its output: version, input, output, operations, on the Edge TPU, rows.
FILES = {
    "01": (V1, "./model_mobilenet_v2_w_fc_224x224x3.tflite", "model_mobilenet_v2_w_fc_224x224x3_edgetpu", 70, 70, 7),
    "02": (V1, "./model_padding_128x128x3.tflite", "model_padding_128x128x3_edgetpu", 1, 1, 1),
    "03": (V1, "./model_dense_2x2x3x100x100.tflite", "model_dense_2x2x3x100x100_edgetpu", 101, 101, 1),
    "04": (V20, "mnist.tflite", "mnist_edgetpu", 8, 7, 7),
    "05": (V21, "model.tflite", "model_edgetpu", 77, 75, 8),
    "06": (V21, "learn/models/output_tflite_graph.tflite", "output_tflite_graph_edgetpu", 99, 98, 7),
    "07": (V21, "detect.tflite", "detect_edgetpu", 115, 114, 7),
    "08": (V14, "tiny_yolo.tflite", "tiny_yolo_edgetpu", 25, 19, 8),
    "09": (V15, "model.tflite", "model_edgetpu", 3, 3, 2),
    "10": (V15, "output_tflite_graph.tflite", "output_tflite_graph_edgetpu", 64, 63, 6),
    "11": (V15, "mnist4.tflite", "mnist4_edgetpu", 10, 8, 7),
    "12": (V15, "mnist7.tflite", "mnist7_edgetpu", 8, 8, 5),
    "13": (V16, "mobilenet_v2_1.0_224_quant.tflite", "mobilenet_v2_1.0_224_quant_edgetpu", 72, 72, 8),
    "14": (V16, "detect.tflite", "detect_edgetpu", 64, 63, 6),
    "15": (V16, "model.tflite", "model_edgetpu", 267, 264, 11),
    "16": (
        V16,
        "drive/MyDrive/YOLO/yolov5-master/best-int8.tflite",
        "drive/MyDrive/YOLO/yolov5-master/best-int8_edgetpu",
        262,
        123,
        19,
    ),
    "17": (V16, "yolov5n-int8.tflite", "yolov5n-int8_edgetpu", 262, 262, 11),
    "18": (
        V16,
        "yolov8n_saved_model/yolov8n_full_integer_quant.tflite",
        "yolov8n_saved_model/yolov8n_full_integer_quant_edgetpu",
        257,
        257,
        14,
    ),
    "19": (
        V16,
        "yolov8n_saved_model/yolov8n_full_integer_quant.tflite",
        "yolov8n_saved_model/yolov8n_full_integer_quant_edgetpu",
        257,
        257,
        14,
    ),
    "20": (
        V16,
        "yolov8s_saved_model/yolov8s_full_integer_quant.tflite",
        "yolov8s_saved_model/yolov8s_full_integer_quant_edgetpu",
        256,
        256,
        14,
    ),
    "21": (V16, "efficientdet_coral_v2.tflite", "efficientdet_coral_v2_edgetpu", 267, 264, 11),
}

# Models of what was printed: input, operations, tpu, cpu, subgraphs, cached, remaining, streamed, rows.
EFFICIENTDET = ("efficientdet_coral_v2.tflite", 267, 264, 3, 1, "4.21M", "3.29M", "0.00B", 0)
MOVINET = ("1.tflite", 368, 15, 353, 1, "18.00K", "6.86M", "0.00B", 0)
YOLO_SA = ("yolov5s-int8-224.tflite", 294, 289, 5, 2, "6.08M", "0.00B", "1.70M", 17)
TAIL = (None, 750, 719, 31, None, None, None, None, 25)
OFF_CHIP = ("quantized_model.tflite", 50, 50, 0, 1, "604.50K", "511.50K", "3.45M", 0)
YOLO_3 = ("/home/yolo/yolov3-tiny_int8.tflite", 36, 2, 34, 1, "3.00K", "7.67M", "0.00B", 9)
YOLO_5 = ("/home/yolov5/yolov5s_int8.tflite", 294, 1, 293, 1, "0.00B", "8.05M", "0.00B", 18)
CAM_AI = ("cam-ai_model_quant.tflite", 108, 102, 6, 1, "5.99M", "74.00K", "15.73M", 0)
IDLE = ("internal_err.tflite", 69, 0, 69, 0, "0.00B", "0.00B", "0.00B", 0)
PAIR_1 = ("temp_models/1.tflite", 57, 57, 0, 1, "2.27M", "1.07M", "0.00B", 0)
PAIR_2 = ("temp_models/2.tflite", 6, None, None, 1, "2.00M", "1.07M", "0.00B", 0)  # cut before it says more
CNN_15 = ("cnn.tflite", 313, 313, 0, 1, "7.16M", "2.25K", "2.95M", 0)
RNN_15 = ("rnn.tflite", 78, 78, 0, 1, "0.00B", "2.25K", "4.53M", 0)
CNN_16 = ("cnn_first_edge.tflite", 313, 313, 0, 1, "1.75M", "3.75K", "6.97M", 0)
RNN_16 = ("rnn_second.tflite", 78, 78, 0, 1, "5.29M", "3.75K", "158.06K", 0)
SEGMENT = ("efficientdet_lite3_512_ptq_segment_0_of_2.tflite", 84, 84, 0, 1, "6.02M", "1.02M", "0.00B", 0)
SEARCHED = ("rede_modelo3_73_segment_0_of_2.tflite", 84, 84, 0, 1, "6.02M", "1.02M", "0.00B", 0)
ROWS_ONLY = (None, None, None, None, None, None, None, None, 4)  # its table's head is missing
YOLO_7 = ("runs/train/exp8/weights/best-int8.tflite", 246, 246, 0, 1, "5.90M", "1.16M", "41.75K", 8)

# Version, what failed, attempts, models.
PRINTED: dict[str, tuple[str | None, str | None, int, tuple[Any, ...]]] = {
    "22": (V16, None, 1, (EFFICIENTDET,)),
    "23": (V16, None, 1, (MOVINET,)),
    "24": (V16, None, 1, (YOLO_SA,)),
    "25": (None, None, 1, (TAIL,)),
    "26": (V16, None, 1, (OFF_CHIP,)),
    "27": (V15, None, 1, (YOLO_3,)),
    "28": (V15, None, 1, (YOLO_5,)),
    "29": (V15, "usage", 0, ()),
    "30": (V14, None, 3, (CAM_AI,)),
    "31": (V15, "nothing-mapped", 1, (IDLE,)),
    "32": (V16, None, 1, (PAIR_1, PAIR_2)),
    "33": (V15, None, 1, (CNN_15, RNN_15)),
    "34": (V16, None, 1, (CNN_16, RNN_16)),
    "35": (V16, "delegate", 2, (SEGMENT,)),
    "36": (V16, None, 1, (SEARCHED,)),
    "37": (None, "large-activations", 4, (ROWS_ONLY,)),
    "38": (V16, "large-activations", 3, ()),
    "39": (V16, "silent", 2, ()),
    "40": (None, "timeout", 2, ()),
    "41": (V16, None, 1, (YOLO_7,)),
    "42": (V16, "large-activations", 1, ()),
    "43": (V16, "dynamic-tensors", 1, ()),
    "44": (V16, "unresolved-custom-operator", 1, ()),
    "45": (V16, "quantisation-overflow", 1, ()),
    "46": (V16, "operator-version", 1, ()),
    "47": (V16, "operator-version", 1, ()),
    "48": (V16, "silent", 1, ()),
    "49": (V16, "silent", 1, ()),
    "50": (V16, "exception", 1, ()),
    "51": (V16, "segmentation-fault", 1, ()),
    "52": (V15, "operator-version", 1, ()),
    "53": (V15, "not-quantised", 1, ()),
    "54": (V15, "silent", 0, ()),
    "55": (V14, "not-quantised", 1, ()),
    "56": (V14, "internal-error", 1, ()),
    "57": (V21, "internal-error", 1, ()),
    "58": (V20B, "internal-error", 1, ()),
    "59": (V20, "operator-version", 1, ()),
}


def shared(number: str) -> dict[str, Any]:
    if not SHARED_LOGS.is_dir():
        pytest.skip("the folder of real compiler logs (shared/edgetpu/compiler_logs beside the project) is not here")
    (path,) = SHARED_LOGS.glob(f"{number}-*.txt")
    return log.document(path.read_bytes())


@pytest.mark.parametrize("number", FILES)
def test_a_log_file_is_read(number: str) -> None:
    told = shared(number)
    version, given, made, operations, tpu, rows = FILES[number]
    (model,) = told["models"]
    assert (told["compiler_version"], told["ok"], told["failure"]) == (version, True, None)
    assert (model["input"], model["output"]) == (given, f"{made}.tflite")
    assert (model["operations"], model["tpu"], model["cpu"]) == (operations, tpu, operations - tpu)
    assert len(model["rows"]) == rows
    assert model["subgraphs"] is model["cached_bytes"] is model["remaining_bytes"] is model["streamed_bytes"] is None


@pytest.mark.parametrize("number", PRINTED)
def test_what_was_printed_is_read(number: str) -> None:
    told = shared(number)
    version, kind, attempts, models = PRINTED[number]
    assert (told["compiler_version"], told["ok"]) == (version, kind is None)
    assert (told["failure"] or {}).get("kind") == kind
    assert len(told["attempts"]) == attempts
    assert len(told["models"]) == len(models)
    for model, expected in zip(told["models"], models, strict=True):
        name, operations, tpu, cpu, subgraphs, cached, remaining, streamed, rows = expected
        assert model["input"] == name
        assert (model["operations"], model["tpu"], model["cpu"]) == (operations, tpu, cpu)
        assert model["subgraphs"] == subgraphs
        sizes = (model["cached_bytes"], model["remaining_bytes"], model["streamed_bytes"])
        assert sizes == (size(cached), size(remaining), size(streamed))
        assert len(model["rows"]) == rows


def test_the_tables_cover_the_whole_folder() -> None:
    if not SHARED_LOGS.is_dir():
        pytest.skip("the folder of real compiler logs (shared/edgetpu/compiler_logs beside the project) is not here")
    assert {path.name[:2] for path in SHARED_LOGS.glob("*.txt")} == {*FILES, *PRINTED}


def test_statuses_hold_blanks_commas_and_parentheses() -> None:
    status = "Tensor has unsupported rank (up to 3 innermost dimensions mapped)"
    told = said("Input: a.tflite", "Output: b.tflite", "Operator  Count  Status", f"RESHAPE   2   {status}")
    assert told["models"][0]["rows"] == [{"operator": "RESHAPE", "count": 2, "status": status}]


def test_rows_behind_the_first_blocker_are_told_apart_from_causes() -> None:
    told = log.document(fixture("24"))
    rows = [*told["models"][0]["rows"], {"operator": "ADD", "count": 6, "status": logtext.CONSEQUENCE}]
    assert [row["operator"] for row in logtext.causes(rows)] == ["CONCATENATION", "TRANSPOSE", "QUANTIZE", "RESHAPE"]
    assert [row["operator"] for row in logtext.consequences(rows)] == ["ADD"]
    told["models"][0]["rows"] = rows
    assert "6 more only because they follow" in "\n".join(logtext.lines(told))


def test_the_text_names_failure_reason_and_remedy() -> None:
    text = "\n".join(logtext.lines(log.document(fixture("46"))))
    assert "operator-version: Didn't find op for builtin opcode 'EXP' version '2'" in text
    assert "./run check" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("66.00KiB", 67_584),
        ("0.00B", 0),
        ("6.08MiB", 6_375_342),
        ("1.00GiB", 2**30),
        ("59.10 MiB", 61_970_842),
        ("12", 12),
        ("6.08", None),
        ("many", None),
        ("-3", None),
    ],
)
def test_a_size_becomes_bytes_within_its_rounding(text: str, expected: int | None) -> None:
    assert amount(text) == expected


@given(st.integers(0, 2**31))
def test_a_printed_size_is_within_half_a_hundredth_of_its_unit(true: int) -> None:
    unit, name = (2**20, "MiB") if true >= 2**20 else (2**10, "KiB") if true >= 2**10 else (1, "B")
    told = amount(f"{true / unit:.2f}{name}")
    assert told is not None
    assert abs(told - true) <= unit * 0.005 + 1


def test_versions_before_two_point_one_tell_what_was_available() -> None:
    told = said(
        "Model compiled successfully in 313 ms.",
        "Input model: a.tflite",
        "On-chip memory available for caching model parameters: 7.62MiB",
        "On-chip memory used for caching model parameters: 5.66MiB",
        "Off-chip memory used for streaming uncached model parameters: 0.00B",
        "Total number of operations: 64",
        "Operation log: a_edgetpu.log",
        "See the operation log file for individual operation details.",
        version=V20C,
    )
    (model,) = told["models"]
    assert (model["available_bytes"], model["cached_bytes"]) == (size("7.62M"), size("5.66M"))
    assert (model["remaining_bytes"], model["tpu"], model["cpu"]) == (None, 64, 0)


def test_a_table_that_is_cut_is_not_added_up() -> None:
    whole = fixture("13").rstrip()
    assert log.document(whole)["models"][0]["operations"] == 72
    cut_in_the_status = log.document(whole[:-4])["models"][0]
    cut_in_the_row = log.document(whole[: whole.rindex(b" 17")])["models"][0]
    assert cut_in_the_status["operations"] is cut_in_the_row["operations"] is None
    assert cut_in_the_row["rows_complete"] is False


def test_a_printed_table_is_added_up_only_if_the_log_goes_on_after_it() -> None:
    printed = (
        "Model compiled successfully in 9 ms.",
        "Input model: a.tflite",
        "Operator  Count  Status",
        "ADD  2  Mapped to Edge TPU",
        "ABS  1  Operation not supported",
    )
    (going_on,) = said(*printed, "Compilation child process completed within timeout period.")["models"]
    assert (going_on["operations"], going_on["tpu"], going_on["cpu"], going_on["rows_complete"]) == (3, 2, 1, True)
    (ending,) = said(*printed)["models"]
    assert (ending["operations"], ending["tpu"], ending["cpu"], ending["rows_complete"]) == (None, None, None, False)


def test_a_published_table_with_a_remark_instead_of_rows_keeps_the_printed_counts() -> None:
    told = log.document(
        b"Input model: m.tflite\nTotal number of operations: 141\n"
        b"Number of operations that will run on Edge TPU: 138\nNumber of operations that will run on CPU: 3\n\n"
        b"Operator                       Count      Status\n\n"
        b"RESHAPE                        1          Operation not supported\n"
        b"... All other operators were mapped.\n"
    )
    (model,) = told["models"]
    assert (model["operations"], model["tpu"], model["cpu"], model["rows_complete"]) == (141, 138, 3, False)


def test_a_failed_run_is_made_good_by_a_later_one_of_the_same_model_only() -> None:
    failed = "$ edgetpu_compiler {}\nEdge TPU Compiler version 14.1.317412892\n\nInternal compiler error. Aborting! \n"
    success = "$ edgetpu_compiler b.tflite\n" + fixture("26").decode().replace("quantized_model", "b")
    assert log.document((failed.format("/x/b.tflite") + success).encode())["ok"]
    other = log.document((failed.format("a.tflite") + success).encode())
    assert (other["ok"], other["failure"]["kind"], len(other["models"])) == (False, "internal-error", 1)
    assert not log.document((success + failed.format("b.tflite")).encode())["ok"]


def test_asking_for_the_version_first_is_no_failure() -> None:
    asked = b"$ edgetpu_compiler --version\nEdge TPU Compiler version 16.0.384591198\n$ edgetpu_compiler m.tflite\n"
    assert log.document(asked + fixture("26"))["ok"]
    assert log.document(fixture("26") + b"\n" + asked.partition(b"$ edgetpu_compiler m")[0])["ok"]


def test_a_segment_that_fails_leaves_the_others() -> None:
    told = log.document(
        fixture("35") + b"Compilation failed: Compilation failed due to large activation tensors in model.\n"
        b"Compilation child process completed within timeout period.\nCompilation failed! \n"
    )
    assert (told["ok"], told["failure"]["kind"], len(told["models"])) == (False, "large-activations", 1)
    assert [attempt["ok"] for attempt in told["attempts"]] == [True, False]


def test_the_end_of_a_search_decides() -> None:
    failed = fixture("42").decode().partition("version 16.0.384591198\n")[2]
    head = "Edge TPU Compiler version 16.0.384591198\nSearching for valid delegate with step 10\n"
    won = fixture("26").decode().partition("version 16.0.384591198\n")[2]
    found = f"{head}Try to compile segment with 60 ops\n{failed}Try to compile segment with 50 ops\n"
    told = log.document(f"{found}Intermediate tensors: a;b,c\n{won}".encode())
    assert (told["ok"], told["models"][0]["attempt"], told["models"][0]["operations"]) == (True, 1, 50)
    assert told["attempts"][1]["intermediate_tensors"] == ["a;b", "c"]
    assert told["attempts"][0]["kind"] == "large-activations"
    assert not log.document(f"{found}{failed}".encode())["ok"]


def test_errors_that_overtook_the_output_belong_to_the_run_they_precede() -> None:
    error, rest = b"ERROR: Encountered unresolved custom op: Atan.\n", b"\nCompilation failed! \n"
    told = log.document(error + b"Edge TPU Compiler version 16.0.384591198\nStarted a compilation timeout timer" + rest)
    assert told["failure"]["kind"] == "unresolved-custom-operator"


def test_a_crash_after_the_success_line_is_no_success() -> None:
    crash = fixture("51").partition(b"\n")[2]
    for whole in (fixture("26"), fixture("41")):
        assert log.document(whole + b"\n" + crash)["failure"]["kind"] == "segmentation-fault"


def test_unknown_words_are_quoted_and_none_is_silent() -> None:
    unknown = said("Started a compilation timeout timer of 180 seconds.", "ERROR: no such luck", "Compilation failed!")
    assert (unknown["failure"]["kind"], unknown["failure"]["message"]) == ("unknown", "no such luck")
    silent = said("Started a compilation timeout timer of 180 seconds.", "Compilation failed! ")
    assert silent["failure"]["kind"] == "silent"
    stopped = said("Started a compilation timeout timer of 180 seconds.")
    assert stopped["failure"]["kind"] == "unfinished"


def test_the_host_and_the_stages_call_the_statuses_the_same() -> None:
    assert (logtext.MAPPED, logtext.CONSEQUENCE) == (logstatus.MAPPED, gate.CONSEQUENCE)
    assert {logtext.MAPPED, logtext.CONSEQUENCE} <= set(logstatus.SEEN)


def test_the_catalogue_is_sound() -> None:
    assert {kind.blame for kind in catalogue().values()} == {"model", "compiler", "options"}
    texts = [text for kind in catalogue().values() for text in kind.texts]
    assert len(texts) == len(set(texts))
    assert all(kind.cause and kind.remedy and kind.source for kind in catalogue().values())
