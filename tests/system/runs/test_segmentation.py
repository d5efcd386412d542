"""What a network that finds pixels leaves beside its rows: pictures in the report, and C source."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from conftest import can

if TYPE_CHECKING:
    from pathlib import Path

    from lab import Lab


def folder(lab: Lab, label: str) -> Path:
    return lab.artifacts / "objects" / lab.steps()[label]["key"]


def test_the_report_shows_what_was_found(docker: Lab) -> None:
    report = folder(docker, "report")
    page = (report / "report.html").read_text()
    assert "Pixels found" in page
    assert "On a microcontroller" in page
    assert list((report / "figures").glob("sample-*-answer.png"))


def test_the_source_is_what_a_compiler_takes_and_holds_the_file(docker: Lab, tmp_path: Path) -> None:
    source = folder(docker, "embed/unet447") / "model_ptq_int8_stock.c"
    if not can("cc", "--version"):
        pytest.skip("C source compiled: no C compiler on this machine")
    program = tmp_path / "main.c"
    program.write_text(
        f'#include <stdio.h>\n#include "{source.stem}.h"\n'
        f"int main(void) {{ return fwrite({source.stem}, 1, {source.stem}_bytes, stdout) == 0; }}\n"
    )
    words = ["cc", "-std=c11", "-Wall", "-Werror", "-I", source.parent, "-o", tmp_path / "main", program, source]
    subprocess.run(words, check=True)
    written = subprocess.run([tmp_path / "main"], check=True, capture_output=True).stdout
    assert written == (folder(docker, "convert/unet447/ptq-int8-stock") / "model.tflite").read_bytes()
