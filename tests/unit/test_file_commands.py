"""The tasks that ask about one file, from the front door: answers, documents, refusals and their exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coralline.catalogue import PROJECT
from coralline.console import answers

FIXTURES = Path(__file__).parents[1] / "fixtures" / "edgetpu"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with a model, a compiled one and a log, none of which the project knows."""
    for name in ("gabor_64x64_p4.tflite", "gabor_64x64_p4_edgetpu.tflite", "13-log-v16-mobilenet-v2.txt"):
        shutil.copy(FIXTURES / name, tmp_path)
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "coralline.front", str(PROJECT), *words]
    variables = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (("check", "gabor_64x64_p4.tflite"), {"operators", "mapped", "cpu", "first_blocker", "compiles", "reason"}),
        (("inspect", "gabor_64x64_p4_edgetpu.tflite"), {"compiler", "min_runtime_version", "cached_bytes"}),
        (("estimate", "gabor_64x64_p4.tflite"), {"latency_ms", "energy_mj", "layers"}),
        (("parse-log", "13-log-v16-mobilenet-v2.txt"), {"compiler_version", "ok", "failure", "models"}),
    ],
)
def test_json_is_the_document_and_nothing_else(folder: Path, words: tuple[str, ...], fields: set[str]) -> None:
    done = run(folder, *words, "--json")
    assert done.returncode == 0, done.stderr
    assert fields <= json.loads(done.stdout).keys()
    plain = run(folder, *words)
    assert (plain.returncode, plain.stderr) == (0, "")
    assert words[1] in plain.stdout


def test_options_of_estimate_reach_the_answer(folder: Path) -> None:
    words = ("--usb", "2", "--clock", "max", "--compiled", "gabor_64x64_p4_edgetpu.tflite", "--json")
    told = json.loads(run(folder, "estimate", "gabor_64x64_p4.tflite", *words).stdout)
    assert (told["usb"], told["clock"]) == (2, "max")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "nowhere.tflite"), "there is no file 'nowhere.tflite'"),
        (("check", "gabor_64x64_p4_edgetpu.tflite"), "compiled for the Edge TPU already"),
        (("check", "13-log-v16-mobilenet-v2.txt"), "no TFLite file"),
        (("check", "gabor_64x64_p4.tflite", "--softmax-on-host"), "--softmax-on-host means nothing without --fix"),
        (("check", "gabor_64x64_p4.tflite", "--fix", "no/such/fixed.tflite"), "cannot be written"),
        (("check", "gabor_64x64_p4.tflite", "--fix", "gabor_64x64_p4.tflite"), "overwrite the file itself"),
        (("check",), "file"),
        (("estimate", "gabor_64x64_p4.tflite", "--usb", "5"), "--usb '5' is not possible"),
        (("estimate", "gabor_64x64_p4.tflite", "--clock", "fast"), "--clock 'fast' is not possible"),
        (("estimate", "gabor_64x64_p4.tflite", "--compiled", "none"), "--compiled: there is no file 'none'"),
        (("parity", "inception3"), "no such model 'inception3'"),
        (("parity", "inceptionv3", "--only", "train"), "no such option '--only'"),
    ],
)
def test_a_wrong_word_is_the_users_error(folder: Path, words: tuple[str, ...], said: str) -> None:
    done = run(folder, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unchanged_file_is_written_where_the_user_stands(folder: Path) -> None:
    done = run(folder, "check", "gabor_64x64_p4.tflite", "--fix", "fixed.tflite", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["proof"]["equal"] is True
    assert (folder / "fixed.tflite").read_bytes() == (folder / "gabor_64x64_p4.tflite").read_bytes()


def document(**changed: Any) -> dict[str, Any]:
    pair = {
        "runtime": "xnnpack",
        "reference": "reference",
        "n": 64,
        "predictions": 63 / 64,
        "outputs": 0.5,
        "largest_steps": 3,
        "disagreements": [
            {"image": "test/nc/1.png", "label": 2, "predictions": [1, 2], "outputs": [[0, 9, 8], [0, 8, 9]]},
            {"image": "test/nc/2.png", "label": 2, "predictions": [2, 2], "outputs": [[0, 0, 8], [0, 0, 9]]},
        ],
        "first_divergence": {
            "image": "test/nc/1.png",
            "index": 7,
            "operator": "CONV_2D",
            "tensor": "model/stem/Conv2D",
            "layer": "stem",
            "elements": 100,
            "different": 4,
            "largest_steps": 1,
            "computed_by": "xnnpack",
            "method": "bisection",
            "tensors_compared": 9,
        },
    }
    return {
        "model": "inceptionv3",
        "recipe": "ptq-int8",
        "classes": ["cc_numu", "cc_nue", "nc"],
        "images": {"compared": 64, "of": 600, "seed": 1},
        "runtimes": [{"runtime": "xnnpack", "operators": 95, "delegated": 93, "not_delegated": {"QUANTIZE": 2}}],
        "pairs": [{**pair, **changed}],
        "absent": [{"runtime": "edgetpu", "reason": "no Edge TPU on USB"}],
    }


def test_parity_is_told_as_a_table_and_in_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    answers.show_parity(document())
    said = capsys.readouterr().out
    for part in (
        "inceptionv3/ptq-int8: 64 of 600 test images",
        "0.9844 (63)",
        "0.5000 (32)",
        "3 steps",
        "xnnpack computes 93 of 95 operators itself; the built-in kernels compute QUANTIZE 2",
        "xnnpack and reference part in operator 7, CONV_2D (layer stem): of equal inputs it makes 4 of 100 values",
        "by at most 1 step, on test/nc/1.png",
        "test/nc/1.png (nc): xnnpack says cc_nue, reference nc",
        "not compared: edgetpu: no Edge TPU on USB",
    ):
        assert part in said
    assert "test/nc/2.png" not in said  # the prediction is the same


def test_many_disagreements_are_cut_with_a_count(capsys: pytest.CaptureFixture[str]) -> None:
    one = {"image": "test/nc/1.png", "label": 2, "predictions": [1, 2], "outputs": [None, [0, 8, 9]]}
    answers.show_parity(document(disagreements=[one] * 25, outputs=None, largest_steps=None, first_divergence=None))
    said = capsys.readouterr().out
    assert said.count("xnnpack says cc_nue") == 10
    assert "and 15 more images" in said
    assert "not known" in said


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_after_a_task_is_no_file(folder: Path, word: str) -> None:
    done = run(folder, "check", word)
    assert done.returncode == 0
    assert "Say what the Edge TPU compiler will do with a file" in done.stdout
