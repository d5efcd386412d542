"""Compiler logs that lie, and files that are none: a document or a clear error, in bounded time."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coralline.console import logtext
from stages.contract import InputError
from stages.edgetpu.failures import catalogue
from stages.edgetpu.log import document as log
from stages.edgetpu.log.lines import LONGEST_LINE, MOST_BYTES, MOST_LINES
from tests.compilerlogs import SEEDS


@pytest.mark.parametrize(
    "content",
    [
        b"HTTP 200 OK\n",
        b"STEP 3 of 9\n",
        b"",
        b"\n\n",
        b"\x89PNG\r\n\x1a\n" * 9,
        b"Hello, this is a poem.\n",
        b"\0" * 999,
    ],
)
def test_what_is_no_log_is_called_so(content: bytes) -> None:
    with pytest.raises(InputError, match="no line of the file"):
        log.document(content)


def test_too_much_is_refused() -> None:
    with pytest.raises(InputError, match="bytes, more than"):
        log.document(b"x" * (MOST_BYTES + 1))
    with pytest.raises(InputError, match="more than %d lines" % MOST_LINES):
        log.document(b"x\n" * (MOST_LINES + 1))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real log, or two, with lines moved, cut, doubled and overwritten."""
    content = b"\n".join(draw(st.lists(st.sampled_from(SEEDS), min_size=1, max_size=2)))
    lines = content.split(b"\n")
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        action = draw(st.sampled_from(("drop", "double", "swap", "cut", "bytes", "number")))
        if action == "drop" and len(lines) > 1:
            del lines[at]
        elif action == "double":
            lines.insert(at, lines[at])
        elif action == "swap":
            lines[at], lines[0] = lines[0], lines[at]
        elif action == "cut":
            lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
        elif action == "bytes":
            lines[at] += draw(st.binary(max_size=20))
        else:
            lines[at] = lines[at].replace(b"1", draw(st.sampled_from((b"-1", b"", b"99999999999", b"1.", b"\xd9\xa1"))))
    content = b"\n".join(lines)
    return content[draw(st.integers(0, 40)) : len(content) - draw(st.integers(0, 40))]


def check(content: bytes) -> None:
    """Whatever the log says, the document is one."""
    try:
        told = log.document(content)
    except InputError:
        return
    json.dumps(told, allow_nan=False)
    assert told["ok"] is (told["failure"] is None)
    assert told["ok"] is False or told["models"] or any(attempt["ok"] for attempt in told["attempts"])
    assert all(attempt["ok"] is (attempt["kind"] is None) for attempt in told["attempts"])
    assert {told["failure"]["kind"]} <= set(catalogue()) if told["failure"] else True
    for model in told["models"]:
        assert told["attempts"][model["attempt"]]["ok"]
        assert all(isinstance(model[name], (int, type(None))) for name in ("operations", "tpu", "cpu", "cached_bytes"))
        assert all(model[name] is None or model[name] >= 0 for name in ("operations", "tpu", "cpu", "cached_bytes"))
    list(logtext.lines(told))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=1000)
@given(mutated())
def test_a_damaged_log_gives_a_document_or_a_clear_error(content: bytes) -> None:
    check(content)


@settings(max_examples=150, deadline=1000)
@given(st.binary(max_size=300))
def test_any_bytes_after_a_banner_give_a_document(content: bytes) -> None:
    check(b"Edge TPU Compiler version 16.0.384591198\nOperator Count Status\n" + content)


@pytest.mark.parametrize(
    "line",
    [
        b"a " * 90,
        b"Operator " + b" " * 180,
        b"Edge TPU Compiler version 16.0.384591198",
        b"CONV_2D 1 Mapped to Edge TPU",
        b"CONV_2D" + b"1 " * 90,
        b"Input model: " + b"m" * 180,
        b"Intermediate tensors: " + b"a," * 90,
        b"Started a compilation timeout timer of 180 seconds.",
        b"ERROR: Segmentation fault",
        b"$ edgetpu_compiler m.tflite",
        b"Try to compile segment with " + b"9" * 180,
        b"\x1b[" + b"1" * 180,
    ],
)
def test_a_hostile_log_costs_no_more_than_a_long_one(line: bytes) -> None:
    content = b"Edge TPU Compiler version 16.0.384591198\nOperator Count Status\n" + (line + b"\n") * (MOST_LINES - 2)
    begin = time.process_time()
    check(content)
    assert time.process_time() - begin < 5.0  # about half a second; quadratic work would take hours


BANNER = b"Edge TPU Compiler version 16.0.384591198\n"
TABLE = BANNER + b"Operator  Count  Status\n"
ERROR = b"ERROR: " + b"a" * 180 + b"\n"
LONG = LONGEST_LINE - 100


def lines_of(*units: bytes) -> bytes:
    """Repeat some lines until a log reaches its limits."""
    unit = b"".join(units)
    return unit * min((MOST_BYTES - 10_000) // len(unit), (MOST_LINES - 10) // unit.count(b"\n"))


HOSTILE = {
    "errors that belong to no run": ERROR * 9_900 + BANNER * 9_900,
    "a run for each error": lines_of(ERROR, BANNER),
    "a crash before each run": lines_of(BANNER, ERROR, b"Segmentation fault\n"),
    "tries": BANNER + lines_of(b"Try to compile segment with 1 ops\n", ERROR),
    "models": BANNER + lines_of(b"Input model: " + b"m" * 180 + b"\n"),
    "rows": TABLE + lines_of(b"ADD 1 " + b"A 1 Mapped " * 18 + b"\n"),
    "rows in one line": TABLE + (b"ADD  1  Mapped to Edge TPU" * 2_500 + b"\n") * 7,
    "rows in one line, never apart": TABLE + lines_of(b"ADD  1  Mapped to Edge tpu" * 2_500 + b"\n"),
    "cut rows": TABLE + lines_of(b"ADD 1 Operation is otherwise supported\n", b"Operation is otherwise but\n"),
    "blanks": TABLE + lines_of((b"ADD" + b" " * 99 + b"1" * 9) * (LONG // 111) + b"\n"),
    "phrases": BANNER + lines_of(b"Number of operations that will run on CP" * (LONG // 40) + b"\n"),
    "letters": BANNER + lines_of(b"MNOTISC" * (LONG // 7) + b"\n"),
    "prefixes": b"1 1 1 1 1 1 " + BANNER + BANNER + lines_of(b"1 " * 40 + b" " * 40 + b"1" * 80 + b"\n"),
    "a prefix for each banner": b"".join(b"x" * n + BANNER for n in range(1, 100)) * 100,
    "log files to be paired": b"".join(
        BANNER + b"%sInput: m%d\nOutput: n%d\n%s" % (begin, number, number, end)
        for begin, end in ((b"Model compiled successfully\n", b""), (b"", b"Operator  Count  Status\nABS 1 x\n"))
        for number in range(2_000)
    ).replace(b"successfully\nInput", b"successfully\nInput model"),
    "words": BANNER + lines_of(ERROR),
    "long words": BANNER + lines_of(b"ERROR: " + b"a" * LONG + b"\n"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_log_that_is_made_to_be_slow_is_not(name: str) -> None:
    content = HOSTILE[name]
    assert MOST_BYTES // 12 < len(content) <= MOST_BYTES
    begin = time.process_time()
    told = log.document(content)
    list(logtext.lines(told))
    assert time.process_time() - begin < 2.0  # at most 0.7 s where it was written; the first took over a minute
