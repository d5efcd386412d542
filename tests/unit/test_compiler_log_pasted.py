"""Compiler logs as people pass them on: prefixes, pages around them, wrapped, glued and repeated lines."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.edgetpu.log import document as log
from stages.edgetpu.log import status as logstatus
from tests.compilerlogs import V15, V16, fixture, said, size


def test_what_terminals_and_web_pages_add_is_taken_off() -> None:
    plain = fixture("24").decode()
    expected = log.document(plain.encode())
    dressed = (
        plain.replace("\n", "\r\n"),
        "\ufeff" + plain,
        "".join(f"    {line}\n" for line in plain.splitlines()),
        "".join(f"> {line}\n" for line in plain.splitlines()),
        "".join(f"2024-05-01T10:11:12.1234567Z {line}\n" for line in plain.splitlines()),
        "".join(f"\x1b[32m{line}\x1b[0m\n" for line in plain.splitlines()),
        "".join(" ".join(line.split()) + "\n" for line in plain.splitlines() if line),
        plain.replace("          ", "\t"),
    )
    for text in dressed:
        assert log.document(text.encode()) == expected
    assert log.document(plain.encode("utf-16")) == expected


def before_each(prefix: str, text: str, suffix: str = "") -> bytes:
    return "".join(f"{prefix}{line}{suffix}\n" for line in text.splitlines()).encode()


@pytest.mark.parametrize("name", ["24", "26", "40", "42", "46", "51"])  # 40 has no banner, 51 one line behind it
@pytest.mark.parametrize(
    ("prefix", "suffix"),
    [
        ("builder_1  | ", ""),
        ("INFO:root:", ""),
        ("| ", " |"),
        ("2024-05-01 10:11:12,123 - INFO - ", ""),
        ("[stdout] ", ""),
        ("* ", ""),
    ],
)
def test_what_stands_before_each_line_is_taken_off(name: str, prefix: str, suffix: str) -> None:
    text = fixture(name).decode()
    assert log.document(before_each(prefix, text, suffix)) == log.document(text.encode())


def test_the_clock_of_a_build_may_go_on_and_another_service_may_interrupt() -> None:
    text = fixture("24").decode()
    lines = [f"#{12} {number / 8:.3f} {line}" for number, line in enumerate(text.splitlines(), start=70)]
    lines[9:9] = ["#7 sha256:0 done", "Compilation began a while ago"]
    assert log.document("\n".join(lines).encode()) == log.document(text.encode())


def test_a_sentence_that_names_the_banner_is_no_prefix() -> None:
    text = fixture("42").decode()
    expected = log.document(text.encode())
    assert log.document(b"I have Edge TPU Compiler version 16.0 and see:\n" + text.encode()) == expected
    assert log.document(b"I have Edge TPU Compiler version 16.0:\n" + before_each("a_1 | ", text)) == expected


def test_the_marks_of_a_page_around_a_log_are_taken_off() -> None:
    told = log.document(b"_" + fixture("42").strip() + b"_\n")
    assert (told["compiler_version"], told["failure"]["kind"]) == (V16, "large-activations")
    assert log.document(b"*Edge TPU Compiler version 16.0.384591198*\n")["compiler_version"] == V16


PIECES = ["web_1", "|", "#12", "3.456", "INFO:root:", "[main]", "10:11:12", "-", "stdout:", "(", "2024-05-01"]


@settings(max_examples=100, deadline=1000)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map(" ".join))
def test_whatever_stands_before_each_line_is_taken_off(prefix: str) -> None:
    text = fixture("24").decode()
    assert log.document(before_each(prefix + " ", text)) == log.document(text.encode())


PRINTED_15 = (
    "Model compiled successfully in 2644 ms.",
    "Input model: models/net.tflite",
    "Input size: 4.22MiB",
    "Output model: ./out/net_edgetpu.tflite",
    "Number of Edge TPU subgraphs: 1",
    "Total number of operations: 30",
    "Operation log: ./out/net_edgetpu.log",
    "Number of operations that will run on Edge TPU: 20",
    "Number of operations that will run on CPU: 10",
    "See the operation log file for individual operation details.",
)


def written(name: str = "net", version: str = V15) -> tuple[str, ...]:
    """The .log file that belongs to what was printed."""
    return (
        f"Edge TPU Compiler version {version}",
        f"Input: {name}.tflite",
        f"Output: {name}_edgetpu.tflite",
        "Operator                       Count      Status",
        "CONV_2D                        20         Mapped to Edge TPU",
        "QUANTIZE                       10         More than one subgraph is not supported",
    )


@pytest.mark.parametrize("between", [(), ("here is the log:", ""), ("Compilation succeeded!",)])
def test_a_log_file_after_what_was_printed_is_the_same_compilation(between: tuple[str, ...]) -> None:
    told = said(*PRINTED_15, *between, *written(), version=V15)
    (model,) = told["models"]
    assert (model["input"], model["input_size_bytes"], len(model["rows"])) == ("models/net.tflite", size("4.22M"), 2)
    assert (model["operations"], model["tpu"], model["cpu"], model["rows_complete"]) == (30, 20, 10, True)
    assert len(told["attempts"]) == 1


def test_a_log_file_of_another_compilation_stays_apart() -> None:
    for other in (written("other"), written(version=V16)):
        assert [len(model["rows"]) for model in said(*PRINTED_15, *other, version=V15)["models"]] == [0, 2]
    twice = said(*PRINTED_15, *written(), *written(), version=V15)
    assert [len(model["rows"]) for model in twice["models"]] == [2, 2]


def test_each_of_several_log_files_finds_its_model() -> None:
    printed = [line.replace("net", name) for name in "ab" for line in PRINTED_15[1:]]
    told = said(PRINTED_15[0], *printed, *written("b"), *written("a"), version=V15)
    assert [model["input"] for model in told["models"]] == ["models/a.tflite", "models/b.tflite"]
    assert all(model["rows_complete"] for model in told["models"])


@pytest.mark.parametrize("status", ["Image-interpolation layer won't run precisely enough", "Never seen before"])
def test_a_table_without_its_head_may_begin_with_any_status(status: str) -> None:
    (model,) = log.document(f"RESIZE_BILINEAR  1  {status}\nCONV_2D  3  Mapped to Edge TPU\n".encode())["models"]
    assert [(row["operator"], row["status"]) for row in model["rows"]] == [
        ("RESIZE_BILINEAR", status),
        ("CONV_2D", "Mapped to Edge TPU"),
    ]
    assert (model["operations"], model["rows_complete"]) == (None, False)


UNSPECIFIED = "Operation is otherwise supported, but not mapped due to some unspecified limitation"


@given(st.sampled_from(logstatus.SEEN), st.lists(st.integers(1, 90), max_size=3), st.booleans())
def test_a_status_that_a_terminal_wrapped_is_joined(status: str, places: list[int], is_counted: bool) -> None:
    cuts = sorted({0, len(status), *(place for place in places if place < len(status))})
    parts = [status[begin:end].strip() for begin, end in pairwise(cuts)]
    counted = ("Total number of operations: 3",) if is_counted else ()
    table = ("Operator  Count  Status", "ADD  1  " + "\n".join(part for part in parts if part), "MUL  2  " + status)
    (model,) = said("Input model: a.tflite", *counted, *table, "Compilation succeeded!")["models"]
    assert [row["status"] for row in model["rows"]] == [status, status]
    assert (model["operations"], model["rows_complete"]) == (3, True)


def test_a_status_that_stays_cut_is_told() -> None:
    rows = ("ADD  1  Operation is otherwise supported, but not", "MUL  2  Mapped to Edge TPU")
    told = said("Total number of operations: 3", "Operator  Count  Status", *rows, "Compilation succeeded!")
    assert [(model["operations"], model["rows_complete"]) for model in told["models"]] == [(3, False)]


def test_lines_that_a_page_ran_together_are_put_apart() -> None:
    (model,) = log.document(
        b"Number of Edge TPU subgraphs: 1Total number of operations: 7\n"
        b"Operation log: net_1.5_edgetpu.logModel successfully compiled but not all operations are supported.\n"
        b"Number of operations that will run on Edge TPU: 2Number of operations that will run on CPU: 5Operator    "
        b"Count      StatusCONV_2D   2     Mapped to Edge TPUCAST  4   Operation not supportedABS   1  Yet unseen\n"
    )["models"]
    assert (model["operation_log"], model["subgraphs"]) == ("net_1.5_edgetpu.log", 1)
    assert (model["operations"], model["tpu"], model["cpu"], model["rows_complete"]) == (7, 2, 5, True)
    assert [(row["operator"], row["count"], row["status"]) for row in model["rows"]] == [
        ("CONV_2D", 2, "Mapped to Edge TPU"),
        ("CAST", 4, "Operation not supported"),
        ("ABS", 1, "Yet unseen"),
    ]


@pytest.mark.parametrize(
    "table",
    [
        "2Operator    Count    Statusand so on",
        "2Operator    Count    StatusABS  1  Yet unseenCAST  4  Operation not supported",
    ],
)
def test_a_table_that_cannot_be_put_apart_is_called_incomplete(table: str) -> None:
    told = said("Input model: a.tflite", f"Number of Edge TPU subgraphs: {table}", "Compilation succeeded!")
    assert [(model["rows_complete"], model["operations"]) for model in told["models"]] == [(False, None)]


def test_a_table_is_complete_if_it_agrees_with_the_two_counts() -> None:
    counts = ("Number of operations that will run on Edge TPU: 0", "Number of operations that will run on CPU: 2")
    rows = (f"MUL  1  {UNSPECIFIED}", f"SPLIT  1  {UNSPECIFIED}")
    for end, expected in ((2, True), (1, False)):
        told = log.document("\n".join((*counts, "Operator  Count  Status", *rows[:end])).encode())
        assert [model["rows_complete"] for model in told["models"]] == [expected]
