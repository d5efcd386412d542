"""The train stage as an engine starts it: a process of its own, a real network, a real kill."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from synthetic import make_dataset, make_step
from tiny import parameters

PROJECT = Path(__file__).resolve().parents[3]
SAME = (
    "weights.h5",
    "model.json",
    "history.csv",
    "metrics.json",
    "predictions.csv",
    "classification_report.txt",
    "confusion_matrix.png",
)
QUICK = {"model": "resnet50v2", "input_size": 32, "epochs": 2, "batch": 12, "batchnorm_momentum": 0.5}


def start(step: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "CORALLINE_STEP": str(step), "PYTHONPATH": str(PROJECT)}
    words = [sys.executable, "-m", "stages.train"]
    with (step.parent / "log").open("a") as log:
        return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=log, text=True, cwd="/")


def run(step: Path) -> tuple[int, list[dict[str, Any]]]:
    process = start(step)
    told, _ = process.communicate(timeout=600)
    return process.returncode, [json.loads(line) for line in told.splitlines()]


def finished(*steps: Path) -> list[Path]:
    """Run steps at once, since starting TensorFlow uses one core; their outputs."""
    processes = [start(step) for step in steps]
    for process, step in zip(processes, steps, strict=True):
        process.communicate(timeout=600)
        assert process.returncode == 0, (step.parent / "log").read_text()[-3000:]
    return [step.parent / "out" for step in steps]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("set"), size=32, train=20, test=5)


@pytest.fixture(scope="module")
def cold(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> list[Path]:
    """The outputs of two cold runs, the second with both loggers."""
    folder = tmp_path_factory.mktemp("cold")
    logged = parameters(**QUICK, tensorboard=True, wandb="offline")
    return finished(
        make_step(folder / "plain", "train", parameters(**QUICK), {"dataset": dataset}),
        make_step(folder / "logged", "train", logged, {"dataset": dataset}),
    )


@pytest.fixture(scope="module")
def trained(cold: list[Path]) -> Path:
    return cold[0]


def assert_same_files(one: Path, other: Path) -> None:
    assert [name for name in SAME if (one / name).read_bytes() != (other / name).read_bytes()] == []


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_outputs_are_there_and_agree(trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} == {*SAME, "record.json"}
    metrics = json.loads((trained / "metrics.json").read_text())
    predictions = lines_of(trained / "predictions.csv")
    right = sum(line["label"] == line["predicted"] for line in predictions)
    assert metrics["accuracy"] == pytest.approx(right / 15)
    assert metrics["images"] == len(predictions) == 15
    assert metrics["confusion_matrix"] == [
        [sum(line["label"] == str(a) and line["predicted"] == str(b) for line in predictions) for b in range(3)]
        for a in range(3)
    ]
    outputs = np.array([[float(line[f"p{index}"]) for index in range(3)] for line in predictions])
    assert np.allclose(outputs.sum(axis=1), 1, atol=1e-5)
    assert "macro avg" in (trained / "classification_report.txt").read_text()


def test_the_history_has_a_line_for_each_epoch(trained: Path) -> None:
    lines = lines_of(trained / "history.csv")
    assert [line["epoch"] for line in lines] == ["1", "2"]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"} < set(lines[0])


def test_the_description_names_the_validation_images(trained: Path) -> None:
    description = json.loads((trained / "model.json").read_text())
    assert (description["model"], description["input_size"]) == ("resnet50v2", 32)
    assert [path.split("/")[:2] for path in description["validation_images"]] == [
        ["train", name] for name in ("cc_nue", "cc_nue", "cc_numu", "cc_numu", "nc", "nc")
    ]


def test_the_record_has_the_numbers_and_facts(trained: Path) -> None:
    record = json.loads((trained / "record.json").read_text())
    numbers = {one["metric"]: one for one in record["numbers"]}
    assert set(numbers) == {"best_epoch", "validation_loss"}
    assert numbers["validation_loss"]["n"] == 6
    facts = record["facts"]
    assert (facts["tensorflow"], facts["keras"]) == ("2.15.1", "2.15.0")
    assert facts["images"] == {"train": 54, "validation": 6, "test": 15}
    assert facts["weights"] == 23_570_947  # ResNet50V2 with three classes
    assert facts["peak_memory_bytes"] < 4 * 2**30
    assert facts["resumed_at_epoch"] is None


def test_the_confusion_matrix_is_a_picture_at_600_dpi_without_time_or_version(trained: Path) -> None:
    with Image.open(trained / "confusion_matrix.png") as image:
        assert [round(value) for value in image.info["dpi"]] == [600, 600]
        assert set(image.info) == {"dpi"}
        assert min(image.size) > 2000


def test_two_cold_runs_give_the_same_bytes_also_with_loggers(cold: list[Path]) -> None:
    assert_same_files(*cold)


def test_loggers_leave_plain_files(cold: list[Path]) -> None:
    again = cold[1]
    assert any(path.name.startswith("events.out.tfevents") for path in (again / "tensorboard").iterdir())
    assert any(path.suffix == ".wandb" for path in (again / "wandb").rglob("*"))
    assert [path for path in again.rglob("*") if path.is_symlink()] == []


def test_a_killed_training_continues_from_its_last_epoch(trained: Path, dataset: Path, tmp_path: Path) -> None:
    step = make_step(tmp_path / "step", "train", parameters(**QUICK), {"dataset": dataset})
    process = start(step)
    assert process.stdout is not None
    for line in process.stdout:
        if "epoch 2/2" in line:
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait(timeout=60) == -signal.SIGKILL
    process.stdout.close()
    kept = {path.name for path in (step.parent / "partial").iterdir()}
    assert {"checkpoint.json", "epoch-0001.h5"} <= kept
    assert not (step.parent / "out" / "weights.h5").exists()

    (again,) = finished(step)
    assert json.loads((again / "record.json").read_text())["facts"]["resumed_at_epoch"] == 1
    assert_same_files(trained, again)


def test_without_epochs_given_weights_are_only_evaluated(trained: Path, dataset: Path, tmp_path: Path) -> None:
    init = tmp_path / "init"  # as an engine mounts it: the name tells nothing
    init.write_bytes((trained / "weights.h5").read_bytes())
    inputs = {"dataset": dataset, "init": init}
    (out,) = finished(make_step(tmp_path / "step", "train", parameters(**{**QUICK, "epochs": 0}), inputs))
    for name in ("weights.h5", "predictions.csv", "classification_report.txt", "confusion_matrix.png"):
        assert (out / name).read_bytes() == (trained / name).read_bytes(), name
    assert lines_of(out / "history.csv") == []
    numbers = {one["metric"]: one["value"] for one in json.loads((out / "record.json").read_text())["numbers"]}
    assert numbers == {"best_epoch": 0}
    told, expected = (json.loads((folder / "metrics.json").read_text()) for folder in (out, trained))
    changed = {"best_epoch": 0, "epochs": 0, "stopped_early": False, "validation_loss": None}
    assert told == {**expected, **changed}
    images, wanted = (json.loads((folder / "model.json").read_text())["validation_images"] for folder in (out, trained))
    assert images == wanted


def test_damaged_weights_end_the_step_with_code_2(dataset: Path, tmp_path: Path) -> None:
    init = tmp_path / "init"
    init.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(1000))
    inputs = {"dataset": dataset, "init": init}
    code, told = run(make_step(tmp_path / "step", "train", parameters(**QUICK), inputs))
    assert code == 2
    assert told[-1]["event"] == "error"
    assert told[-1]["message"].startswith("the weights given with --init cannot be used: damaged")
    assert "Traceback" not in (tmp_path / "step" / "log").read_text()


def test_a_class_without_training_images_ends_the_step_before_tensorflow(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "set", size=32, train=1, test=1)
    code, told = run(make_step(tmp_path / "step", "train", parameters(**QUICK), {"dataset": folder}))
    assert code == 2
    assert "no image of 'cc_numu', 'cc_nue', 'nc' is left to train on" in told[-1]["message"]
    assert (tmp_path / "step" / "log").read_text() == ""
