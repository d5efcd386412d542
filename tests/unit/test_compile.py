"""The compile stage, with a recorded compiler in the vendor's place.

The stand-in prints what the real compiler printed and leaves the file that it left. Nothing here shows that the
vendor's compiler would accept a model; that needs the compile image.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from stages.compile import driver
from stages.compile.__main__ import main
from stages.compile.effort import Effort, compile_model
from stages.compile.verdict import CompilerError
from stages.contract import InputError, Step
from stages.edgetpu.compiled.digest import masked_digest
from stages.edgetpu.log import document as compiler_log

FIXTURES = Path(__file__).parent.parent / "fixtures" / "edgetpu"
MODEL = FIXTURES / "gabor_64x64_p4.tflite"
COMPILED = "gabor_64x64_p4_edgetpu.tflite"
SUCCESS = "26-out-v16-mobilenetv3small-offchip.txt"
LARGE = "42-fail-v16-large-activations.txt"
CRASH = "51-fail-v16-segfault.txt"
SILENT = "54-fail-v15-version-line-only.txt"
STAND_IN = """#!/bin/sh
# Stands in for edgetpu_compiler: at its n-th call it prints the n-th recorded log and leaves the n-th recorded file.
while [ $# -gt 1 ]; do [ "$1" = -o ] && folder=$2; shift; done
echo call >> '{calls}'
case $(wc -l < '{calls}') in
{cases}
esac
"""
CASE = """{call}) cat '{log}'; [ -z '{compiled}' ] || cp '{compiled}' "$folder/model_edgetpu.tflite"; exit {code};;"""


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Put a compiler before everything else on PATH."""
    folder.mkdir()
    (folder / driver.COMPILER).write_text(script)
    (folder / driver.COMPILER).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def record(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *calls: tuple[str, str, int],
    then: tuple[str, str, int] | None = None,
) -> Path:
    """Install a stand-in that plays `calls` one after the other; `then` is what it does ever after."""
    cases = [(str(number + 1), *call) for number, call in enumerate(calls)] + ([("*", *then)] if then else [])
    lines = [
        CASE.format(call=number, log=FIXTURES / log, compiled=FIXTURES / compiled if compiled else "", code=code)
        for number, log, compiled, code in cases
    ]
    install(monkeypatch, folder / "bin", STAND_IN.format(calls=folder / "calls", cases="\n".join(lines)))
    return folder / "calls"


@pytest.fixture
def step(tmp_path: Path) -> Step:
    source, out = tmp_path / "convert", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    (source / "model.tflite").write_bytes(MODEL.read_bytes())
    (source / "conversion.json").write_text(json.dumps({"recipe": "ptq-int8", "classes": ["a", "b"], "input_size": 64}))
    parameters = {"timeout_s": 60, "retries": 2, "search_step": 10}
    return Step("compile", "compile", parameters, 1, {"tflite": source}, out, None, events=io.StringIO())


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def warnings(step: Step) -> list[str]:
    assert isinstance(step.events, io.StringIO)
    events = [json.loads(line) for line in step.events.getvalue().splitlines()]
    return [event["message"] for event in events if event["event"] == "warning"]


def test_a_compiled_file_comes_with_what_the_compiler_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step
) -> None:
    record(monkeypatch, tmp_path, ("24-out-v16-yolov5s-sa-two-subgraphs.txt", COMPILED, 0))
    main(step)
    told = read(step.out / "compile.json")
    assert (told["compiler"], told["operations"], told["tpu"], told["cpu"]) == ("16.0.384591198", 294, 289, 5)
    assert (told["subgraphs"], told["cached_bytes"], told["streamed_bytes"]) == (2, 6_375_342, 1_782_579)
    assert sum(row["count"] for row in told["table"]) == 294
    assert told["operators"] == [{"name": "edgetpu-custom-op", "version": 1, "count": 1}]
    assert told["conversion"] == {"recipe": "ptq-int8", "classes": ["a", "b"], "input_size": 64}
    assert "Edge TPU Compiler version 16.0.384591198" in (step.out / "compiler.log").read_text()
    assert warnings(step) == [
        "5 of 294 operators run on the CPU, one after the other with the Edge TPU: expect lower speed"
    ]
    compiled = (FIXTURES / COMPILED).read_bytes()
    (number,) = read(step.out / "record.json")["numbers"]
    assert (number["metric"], number["value"], number["runtime"]) == ("size_bytes", len(compiled), "edgetpu")


def test_the_digest_without_the_token_stands_beside_the_raw_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step
) -> None:
    record(monkeypatch, tmp_path, (SUCCESS, COMPILED, 0))
    main(step)
    told = read(step.out / "compile.json")
    content = (FIXTURES / COMPILED).read_bytes()
    assert told["sha256"] == hashlib.sha256(content).hexdigest()
    assert told["sha256_masked"] == masked_digest(content) != told["sha256"]


def test_the_compiler_is_told_the_limit_and_to_print_the_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step
) -> None:
    install(monkeypatch, tmp_path / "bin", '#!/bin/sh\nprintf "%s\\n" "$@"\nexit 3\n')
    step.parameters.update(retries=0, search_step=0)
    with pytest.raises(CompilerError):
        main(step)
    said = (step.out / "compiler.log").read_text().splitlines()
    given = int(said[3])
    assert (said[1:3], said[4], Path(said[6]).name) == (["-s", "-t"], "-o", "model.tflite")
    assert 55 <= given <= 60
    assert said[0] == f"$ edgetpu_compiler -s -t {given} model.tflite"


@pytest.mark.parametrize(
    ("log", "words", "remedy"),
    [
        ("53-fail-v15-not-quantized.txt", "Model not quantized", "ptq-int8"),
        ("46-fail-v16-op-version-exp-2.txt", "opcode 'EXP' version '2'", "./run check"),
    ],
)
def test_a_model_that_is_refused_is_the_users_error_and_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step, *, log: str, words: str, remedy: str
) -> None:
    calls = record(monkeypatch, tmp_path, then=(log, "", 1))
    with pytest.raises(InputError, match=words) as caught:
        main(step)
    assert remedy in caught.value.remedy
    assert calls.read_text().count("call") == 1


def test_a_crash_is_followed_by_another_attempt_and_both_are_recorded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step
) -> None:
    # What the crash left must not be taken for the result of the second attempt.
    record(monkeypatch, tmp_path, (CRASH, "gabor_64x64_p4.tflite", 139), then=(SUCCESS, COMPILED, 0))
    main(step)
    told = read(step.out / "compile.json")["attempts"]
    assert [(one["exit_code"], one["outcome"]) for one in told] == [(139, "segmentation-fault"), (0, "compiled")]
    assert [one["options"][:2] for one in told] == [["-s", "-t"], ["-s", "-t"]]
    assert (step.out / "model_edgetpu.tflite").read_bytes() == (FIXTURES / COMPILED).read_bytes()
    said = (step.out / "compiler.log").read_text()
    assert "# exit code 139: segmentation-fault\n" in said
    assert said.endswith("# exit code 0: compiled\n")
    assert "attempt 2 follows" in warnings(step)[0]


def test_the_log_of_several_attempts_can_be_read_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step
) -> None:
    record(monkeypatch, tmp_path, (SILENT, "", 1), (CRASH, "", 139), then=(SUCCESS, COMPILED, 0))
    main(step)
    told = compiler_log.document((step.out / "compiler.log").read_bytes())
    assert (told["ok"], len(told["models"]), told["models"][0]["operations"]) == (True, 1, 50)


@pytest.mark.parametrize("retries", [0, 2])
def test_a_compiler_that_always_crashes_is_tried_as_often_as_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step, capfd: pytest.CaptureFixture[str], *, retries: int
) -> None:
    calls = record(monkeypatch, tmp_path, then=(CRASH, "", 139))
    step.parameters["retries"] = retries
    with pytest.raises(CompilerError, match=r"exit code 139.*Segmentation fault") as caught:
        main(step)
    assert calls.read_text().count("call") == retries + 1
    assert ("the last of 3 attempts" in str(caught.value)) is (retries == 2)
    assert capfd.readouterr().err.count("Segmentation fault") == retries + 1


@pytest.mark.parametrize(
    ("log", "compiled", "code", "words"),
    [
        (SUCCESS, COMPILED, 1, "exit code 1"),
        (CRASH, COMPILED, 0, "exit code 0"),
        (SUCCESS, "", 0, "wrote no TFLite file"),
        (SUCCESS, "53-fail-v15-not-quantized.txt", 0, "wrote no TFLite file"),
        (SUCCESS, "gabor_64x64_p4.tflite", 0, "mapped no operator"),
        ("31-out-v15-min-runtime-11-nothing-mapped.txt", COMPILED, 0, "mapped no operator"),
    ],
    ids=["exit code", "success line", "no file", "not a TFLite file", "no operator in it", "nothing mapped"],
)
def test_success_needs_exit_code_and_line_and_operator(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    step: Step,
    *,
    compiled: str,
    code: int,
    log: str,
    words: str,
) -> None:
    record(monkeypatch, tmp_path, then=(log, compiled, code))
    with pytest.raises((CompilerError, InputError), match=words):
        main(step)
    assert not (step.out / "compile.json").exists()
    assert not (step.out / "model_edgetpu.tflite").exists()


def test_where_the_whole_model_is_too_large_a_search_finds_a_part(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step
) -> None:
    record(monkeypatch, tmp_path, (LARGE, "", 1), then=("41-out-v16-search-success-yolov7-tiny.txt", COMPILED, 0))
    main(step)
    told = read(step.out / "compile.json")
    whole, search = told["attempts"]
    assert (whole["outcome"], search["outcome"]) == ("large-activations", "compiled")
    assert "-d" not in whole["options"]
    assert search["options"][3:] == ["-d", "-k", "10"]
    assert told["options"] == search["options"]
    assert told["operations"] == 246
    assert "looking for a part" in warnings(step)[0]


@pytest.mark.parametrize(("search_step", "attempts"), [(0, 1), (10, 2)])
def test_a_search_is_made_once_and_only_where_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step, *, search_step: int, attempts: int
) -> None:
    calls = record(monkeypatch, tmp_path, then=(LARGE, "", 1))
    step.parameters["search_step"] = search_step
    with pytest.raises(InputError, match="large activation tensors"):
        main(step)
    assert calls.read_text().count("call") == attempts


def test_a_timeout_leads_to_a_search_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step) -> None:
    timeout = "40-out-v16-timeout-large-activations.txt"
    record(monkeypatch, tmp_path, (timeout, "", 1), then=(SUCCESS, COMPILED, 0))
    main(step)
    assert [one["outcome"] for one in read(step.out / "compile.json")["attempts"]] == ["timeout", "compiled"]


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="edgetpu_compiler is not installed"):
        main(step)


def test_a_compiler_that_hangs_ends_with_its_children(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = f"#!/bin/sh\nsh -c 'sleep 600 & echo $! > {tmp_path}/pid; wait' &\nwait\n"
    install(monkeypatch, tmp_path / "bin", script)
    log = tmp_path / "compiler.log"
    with pytest.raises(InputError, match="time limit"):
        compile_model(MODEL, tmp_path, log, Effort(timeout_s=1, retries=2, grace_s=0.0), warn=print)
    assert gone(int((tmp_path / "pid").read_text()))
    assert log.read_text().endswith("# exit code None: timeout\n")


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody waited for may stay as a zombie."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_all_attempts_together_keep_to_the_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    record(monkeypatch, tmp_path, then=(CRASH, "", 139))
    now = iter(range(0, 10_000, 7))  # every look at the clock is seven seconds after the last

    def clock() -> float:
        return float(next(now))

    (tmp_path / "out").mkdir()
    with pytest.raises(CompilerError, match="the last of 3 attempts"):
        compile_model(
            MODEL, tmp_path / "out", tmp_path / "log", Effort(timeout_s=40, retries=20), warn=print, clock=clock
        )
    limits = [int(line.split()[4]) for line in (tmp_path / "log").read_text().splitlines() if line.startswith("$ ")]
    assert limits == [33, 19, 5]


@pytest.mark.parametrize(
    ("left_s", "is_search", "search_step", "expected"),
    [
        (600.0, False, 0, (600, 615.0)),
        (600.0, False, 10, (300, 315.0)),  # half is kept for the search
        (590.0, True, 10, (147, 605.0)),  # a quarter for each try
        (1.0, True, 10, (1, 16.0)),
    ],
)
def test_the_time_is_shared_out(
    left_s: float, *, is_search: bool, search_step: int, expected: tuple[int, float]
) -> None:
    assert Effort(600, search_step=search_step).limits(left_s, is_search) == expected
