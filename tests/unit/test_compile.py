"""The compile stage: the reader of the compiler's log, and the driver with a recorded compiler in the vendor's place.

The stand-in prints what the real compiler printed and leaves the file that it left. Nothing here shows that the
vendor's compiler would accept a model; that needs the compile image.
"""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from stages.compile import driver
from stages.compile.__main__ import main
from stages.compile.log import Report, Row, parse
from stages.compile.reasons import CompilerError, failure
from stages.contract import InputError, Step

FIXTURES = Path(__file__).parent.parent / "fixtures" / "edgetpu"
SHARED_LOGS = Path(__file__).parents[3] / "shared" / "edgetpu" / "compiler_logs"
STAND_IN = """#!/bin/sh
# Stands in for edgetpu_compiler: prints a recorded log and leaves a recorded file.
while [ $# -gt 1 ]; do [ "$1" = -o ] && folder=$2; shift; done
cat '{log}'
[ -z '{compiled}' ] || cp '{compiled}' "$folder/model_edgetpu.tflite"
exit {code}
"""


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Put a compiler before everything else on PATH."""
    folder.mkdir()
    (folder / driver.COMPILER).write_text(script)
    (folder / driver.COMPILER).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def recorded(log: str, compiled: str = "", code: int = 0) -> str:
    file = str(FIXTURES / compiled) if compiled else ""
    return STAND_IN.format(log=FIXTURES / log, compiled=file, code=code)


@pytest.fixture
def step(tmp_path: Path) -> Step:
    source, out = tmp_path / "convert", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    (source / "model.tflite").write_bytes((FIXTURES / "gabor_64x64_p4.tflite").read_bytes())
    (source / "conversion.json").write_text(json.dumps({"recipe": "ptq-int8", "classes": ["a", "b"], "input_size": 64}))
    return Step("compile", "compile", {"timeout_s": 60}, 1, {"tflite": source}, out, None, events=io.StringIO())


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_a_compiled_file_comes_with_what_the_compiler_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step
) -> None:
    install(
        monkeypatch,
        tmp_path / "bin",
        recorded("24-out-v16-yolov5s-sa-two-subgraphs.txt", "gabor_64x64_p4_edgetpu.tflite"),
    )
    main(step)
    told = read(step.out / "compile.json")
    assert (told["compiler"], told["operations"], told["tpu"], told["cpu"]) == ("16.0.384591198", 294, 289, 5)
    assert (told["subgraphs"], told["cached_bytes"], told["streamed_bytes"]) == (2, 6_375_342, 1_782_579)
    assert sum(row["count"] for row in told["table"]) == 294
    assert told["operators"] == [{"name": "edgetpu-custom-op", "version": 1, "count": 1}]
    assert told["conversion"] == {"recipe": "ptq-int8", "classes": ["a", "b"], "input_size": 64}
    assert "Edge TPU Compiler version 16.0.384591198" in (step.out / "compiler.log").read_text()
    size = (FIXTURES / "gabor_64x64_p4_edgetpu.tflite").stat().st_size
    (number,) = read(step.out / "record.json")["numbers"]
    assert (number["metric"], number["value"], number["runtime"]) == ("size_bytes", size, "edgetpu")


def test_the_compiler_is_told_the_limit_and_to_print_the_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step
) -> None:
    install(monkeypatch, tmp_path / "bin", '#!/bin/sh\nprintf "%s\\n" "$@"\nexit 3\n')
    with pytest.raises(CompilerError):
        main(step)
    said = (step.out / "compiler.log").read_text().splitlines()
    assert (said[:4], Path(said[5]).name) == (["-s", "-t", "60", "-o"], "model.tflite")


def test_a_model_that_is_not_quantised_is_the_users_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step
) -> None:
    install(monkeypatch, tmp_path / "bin", recorded("53-fail-v15-not-quantized.txt", code=1))
    with pytest.raises(InputError, match="Model not quantized") as caught:
        main(step)
    assert "ptq-int8" in caught.value.remedy


def test_a_crash_is_the_compilers_fault_and_quotes_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step, capfd: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, tmp_path / "bin", recorded("51-fail-v16-segfault.txt", code=139))
    with pytest.raises(CompilerError, match=r"exit code 139.*Segmentation fault"):
        main(step)
    assert "Segmentation fault" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("compiled", "code", "log", "words"),
    [
        ("gabor_64x64_p4_edgetpu.tflite", 1, "26-out-v16-mobilenetv3small-offchip.txt", "exit code 1"),
        ("gabor_64x64_p4_edgetpu.tflite", 0, "51-fail-v16-segfault.txt", "exit code 0"),
        ("", 0, "26-out-v16-mobilenetv3small-offchip.txt", "wrote no TFLite file"),
        ("53-fail-v15-not-quantized.txt", 0, "26-out-v16-mobilenetv3small-offchip.txt", "wrote no TFLite file"),
        ("gabor_64x64_p4.tflite", 0, "26-out-v16-mobilenetv3small-offchip.txt", "mapped no operator"),
    ],
    ids=["exit code", "success line", "no file", "not a TFLite file", "nothing mapped"],
)
def test_success_needs_exit_code_and_line_and_operator(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step, *, compiled: str, code: int, log: str, words: str
) -> None:
    install(monkeypatch, tmp_path / "bin", recorded(log, compiled, code))
    with pytest.raises((CompilerError, InputError), match=words):
        main(step)
    assert not (step.out / "compile.json").exists()


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="edgetpu_compiler is not installed"):
        main(step)


def test_a_compiler_that_hangs_ends_with_its_children(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = f"#!/bin/sh\nsh -c 'sleep 600 & echo $! > {tmp_path}/pid; wait' &\nwait\n"
    install(monkeypatch, tmp_path / "bin", script)
    model = FIXTURES / "gabor_64x64_p4.tflite"
    outcome = driver.run_compiler(model, tmp_path, tmp_path / "compiler.log", timeout_s=1, grace_s=0.0)
    assert outcome.code is None
    assert gone(int((tmp_path / "pid").read_text()))


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


def test_a_time_limit_is_told_apart_from_an_exit_code() -> None:
    assert "time limit" in str(failure((), None))
    assert "exit code 1: it gave no reason" in str(failure((), 1))


def test_the_operator_table_is_read_with_statuses_that_hold_blanks() -> None:
    report = parse((FIXTURES / "13-log-v16-mobilenet-v2.txt").read_text())
    assert report.rows[0] == Row("FULLY_CONNECTED", 1, "Mapped to Edge TPU")
    assert {row.operator: row.count for row in report.rows} == {
        "FULLY_CONNECTED": 1,
        "PAD": 4,
        "ADD": 10,
        "MEAN": 1,
        "QUANTIZE": 2,
        "SOFTMAX": 1,
        "CONV_2D": 36,
        "DEPTHWISE_CONV_2D": 17,
    }


def test_nothing_is_a_report_without_anything() -> None:
    assert parse("") == Report(None, False, (), {}, ())


def test_every_real_log_is_read(request: pytest.FixtureRequest) -> None:
    if not SHARED_LOGS.is_dir():
        pytest.skip("the folder of real compiler logs (shared/edgetpu/compiler_logs beside the project) is not here")
    reports = {path.name[:2]: parse(path.read_text()) for path in sorted(SHARED_LOGS.glob("*.txt"))}
    assert len(reports) == 59, request.node.name
    # What the folder's own table of sources says of them: 1 to 21 are tables, 42 to 59 failures.
    assert all(report.rows for name, report in reports.items() if name <= "21")
    assert not any(report.succeeded for name, report in reports.items() if name >= "42")
    assert [sum(row.count for row in reports[name].rows) for name in ("15", "24", "28")] == [267, 294, 294]
    blamed = {name for name, report in reports.items() if name >= "42" and is_the_models(report)}
    assert blamed == {"42", "43", "44", "45", "46", "47", "52", "53", "55", "59"}


def is_the_models(report: Report) -> bool:
    return isinstance(failure(report.reasons, 1), InputError)
