"""What a user can do wrong or meet: an exit code, a line on what is wrong, one on what to do; never a traceback."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from conftest import sown
from lab import CLASSIFIER, MODEL, REQUEST, Lab, save_images, save_png

from coralline import daemon
from coralline.catalogue import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

STORY = ("engine ", "setting up", "start ", "failed ", "done ", "reused ", "skipped ", "warning ", "          ")
NOWHERE = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")

WORDS = {
    "a model": (("all", "--model", "inception3"), "no such model 'inception3'", "did you mean 'inceptionv3'?"),
    "no model": (("all",), "no model chosen", "--model NAME"),
    "a recipe": (("all", "--model", MODEL, "--recipes", "ptq-int9"), "no such recipe 'ptq-int9'", "'ptq-int8'"),
    "a stage": (("all", "--model", MODEL, "--only", "trian"), "no such stage 'trian'", "did you mean 'train'?"),
    "a stage to start from": (("all", "--model", MODEL, "--from", "convrt"), "no such stage 'convrt'", "'convert'"),
    "a parameter": (
        ("all", "--model", MODEL, "--set", "train.epoch=3"),
        "stage train has no parameter 'epoch'",
        "did you mean 'epochs'?",
    ),
    "a setting": (("all", "--model", MODEL, "--set", "epochs"), "--set 'epochs' is not a setting", "train.epochs=6"),
    "a value": (("all", "--model", MODEL, "--set", "train.epochs=twenty"), "'twenty'", "whole number"),
    "a bound": (("all", "--model", CLASSIFIER, "--set", "dataset.size=16"), "dataset.size", "32"),
    "an input too small": (("all", "--model", "inceptionv3", "--set", "train.input_size=32"), "too small", "75"),
    "an engine": (("all", "--model", MODEL, "--engine", "dokcer"), "no such engine 'dokcer'", "did you mean 'docker'?"),
    "a profile": (("all", "--model", MODEL, "--profile", "quik"), "no such profile 'quik'", "did you mean 'quick'?"),
    "an option": (("all", "--modle", MODEL), "no such option '--modle'", "--model"),
    "a task": (("al",), "no such task 'al'", "did you mean 'all'?"),
    "jobs": (("all", "--model", MODEL, "--jobs", "0"), "--jobs '0'", "at least 1"),
    "data that are not there": (("all", "--model", MODEL, "--data", "/nowhere/at/all"), "does not exist", "path"),
    "weights that are not there": (("all", "--model", MODEL, "--init", "/nowhere.h5"), "does not exist", "path"),
    "a run": (("results", "20990101"), "there is no run yet", "./run all"),
    "an image": (("image.build", "trian"), "no such image 'trian'", "did you mean 'train'?"),
    "another site's answer": (
        ("image.verify", "report", "--against", "/nowhere.json"),
        "'/nowhere.json' cannot be read",
        "image.verify --json",
    ),
    "a lock": (("image.lock", "trian"), "no such lock 'trian'", "did you mean 'train'?"),
}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "artifacts", "local")


def said(lab: Lab, *words: str, code: int) -> list[str]:
    """The lines of the one error that a task ends with, after checking their form."""
    done = lab.run(*words, code=code)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("error: "))
    assert all(line.startswith(STORY) for line in lines[:start]), lines
    assert len(lines) > start + 1
    assert all(line.startswith("  ") for line in lines[start + 1 :]), lines
    return lines[start:]


@pytest.mark.parametrize("wrong", WORDS)
def test_a_wrong_word_is_named_with_what_to_write(lab: Lab, wrong: str) -> None:
    words, what, remedy = WORDS[wrong]
    lines = said(lab, *words, code=2)
    assert what in lines[0]
    assert remedy in "\n".join(lines[1:])
    assert not lab.artifacts.exists()


def test_a_profile_that_is_not_toml_is_named(lab: Lab, tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text("[train]\nepochs =\n")
    assert str(profile) in said(lab, "all", "--model", MODEL, "--profile", str(profile), code=2)[0]


def test_a_value_in_a_profile_is_named_with_its_file(lab: Lab, tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text('[train]\nepochs = "twenty"\n')
    lines = said(lab, "all", "--model", MODEL, "--profile", str(profile), code=2)
    assert f"{profile}: train.epochs" in lines[0]


def only_dataset(lab: Lab, data: Path, code: int) -> str:
    return "\n".join(said(lab, "all", "--only", "dataset", "--engine", "local", "--data", str(data), code=code))


def test_every_bad_image_is_named_with_what_is_wrong_with_it(lab: Lab, tmp_path: Path) -> None:
    data = save_images(tmp_path / "data")
    whole = (data / "train/one/0.png").read_bytes()
    (data / "train/one/truncated.png").write_bytes(whole[: len(whole) // 2])
    save_png(data / "test/two/grey.png", 1000, grey=True)
    save_png(data / "train/two/large.png", 1001, size=40)
    (data / "train/one/bomb.png").write_bytes(
        whole.replace(struct.pack(">II", 32, 32), struct.pack(">II", 60_000, 60_000), 1)
    )
    text = only_dataset(lab, data, 2)
    assert "error: dataset: 4 of 28 images cannot be used" in text
    for name, reason in (
        ("train/one/truncated.png", "trunc"),
        ("train/one/bomb.png", "60000 x 60000"),
        ("test/two/grey.png", "RGB"),
        ("train/two/large.png", "40 x 40"),
    ):
        line = next(line for line in text.splitlines() if name in line)
        assert reason in line
    assert "--on-bad-image skip" in text
    done = lab.run("all", "--only", "dataset", "--engine", "local", "--data", str(data), "--on-bad-image", "skip")
    assert "left out" in done.stderr
    assert lab.records()["dataset"]["facts"]["skipped"] == 4


def test_an_empty_class_is_named(lab: Lab, tmp_path: Path) -> None:
    data = save_images(tmp_path / "data")
    shutil.rmtree(data / "train" / "two")
    (data / "train" / "two").mkdir()
    text = only_dataset(lab, data, 2)
    assert "two" in text


def test_data_without_the_two_splits_are_told_what_is_wanted(lab: Lab, tmp_path: Path) -> None:
    data = save_images(tmp_path / "data")
    shutil.rmtree(data / "test")
    assert "test" in only_dataset(lab, data, 2)


def test_corrupt_weights_are_refused(local: Lab, tmp_path: Path) -> None:
    lab = sown(local, tmp_path / "artifacts", "dataset")
    weights = local.artifacts / "objects" / local.steps()[f"train/{MODEL}"]["key"] / "weights.h5"
    broken = tmp_path / "broken.h5"
    broken.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    lines = said(lab, "all", *REQUEST, "--engine", "local", "--only", "train", "--init", str(broken), code=2)
    assert "cannot be used" in lines[0]


class Loaded:
    """What a pickle can do when somebody reads it."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self._trace}",)


@pytest.mark.parametrize("kind", ["pickle", "pickle and Lambda layer in an archive"])
def test_weights_that_would_run_something_are_refused(local: Lab, tmp_path: Path, kind: str) -> None:
    lab, trace = sown(local, tmp_path / "artifacts", "dataset"), tmp_path / "trace"
    hostile, loaded = tmp_path / ("weights.h5" if kind == "pickle" else "weights.keras"), pickle.dumps(Loaded(trace))
    layer = {"class_name": "Lambda", "config": {"function": ["os.system", f"touch {trace}"]}}
    if kind == "pickle":
        hostile.write_bytes(loaded)
    else:
        with zipfile.ZipFile(hostile, "w") as archive:
            archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"layers": [layer]}}))
            archive.writestr("model.weights.h5", loaded)
    lines = said(lab, "all", *REQUEST, "--engine", "local", "--only", "train", "--init", str(hostile), code=2)
    assert str(hostile.name) in lines[0] or "--init" in lines[0]
    assert not trace.exists()


def test_weights_of_another_model_are_refused(local: Lab, tmp_path: Path) -> None:
    lab, data = Lab(tmp_path / "artifacts", "local"), save_images(tmp_path / "data")
    weights = local.artifacts / "objects" / local.steps()[f"train/{MODEL}"]["key"] / "weights.h5"
    other = ("--model", CLASSIFIER, "--data", str(data), "--set", "train.input_size=32")
    lines = said(lab, "all", *other, "--engine", "local", "--only", "train", "--init", str(weights), code=2)
    assert f"train/{CLASSIFIER}" in lines[0]
    assert "weights of the same model" in lines[1]


@pytest.mark.parametrize("address", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:9"])
def test_no_docker_with_the_docker_engine_says_how_to_go_on(tmp_path: Path, address: str) -> None:
    lab = Lab(tmp_path / "artifacts", "docker", {"DOCKER_HOST": address})
    lines = said(lab, "all", *REQUEST, "--engine", "docker", code=4)
    assert "docker" in lines[0].lower()
    assert "--engine local" in lines[1]


def test_no_docker_is_no_trouble_for_the_automatic_engine(local: Lab) -> None:
    lab = Lab(local.artifacts, "auto", {"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert "engine local: no Docker daemon" in lab.all().stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A fresh checkout with nothing set up but the host environment."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("coralline", "stages", "docker", "profiles", "requirements"):
        shutil.copytree(PROJECT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("run", "tasks.py"):
        shutil.copy(PROJECT / name, checkout)
    (checkout / ".coralline").mkdir()
    (checkout / ".coralline" / "host").symlink_to(PROJECT / ".coralline" / "host")
    return checkout


def test_no_network_while_an_image_is_built(copy: Path, tmp_path: Path) -> None:
    if daemon.trouble() is not None:
        pytest.skip(f"an image build without network: {daemon.trouble()}")
    with (copy / "docker" / "dataset" / "requirements.lock").open("a") as lock:
        lock.write("# another lock, so that the image is not here\n")
    lab = Lab(tmp_path / "artifacts", "docker", NOWHERE, project=copy)
    lines = said(lab, "all", "--only", "dataset", "--engine", "docker", code=5)
    assert lines[0] == "error: the image dataset cannot be built: no network"


def test_no_network_while_an_environment_is_made(copy: Path, tmp_path: Path) -> None:
    variables = {**NOWHERE, "UV_CACHE_DIR": str(tmp_path / "cache"), "UV_HTTP_RETRIES": "0"}
    lab = Lab(tmp_path / "artifacts", "local", variables, project=copy)
    lines = said(lab, "all", "--only", "dataset", "--engine", "local", code=5)
    assert lines[:2] == [
        "error: the environment dataset cannot be made from its lock",
        "  is the Python package index reachable?",
    ]


def test_a_python_without_wheels_for_tensorflow_is_named(copy: Path, tmp_path: Path) -> None:
    variables = {"UV_PYTHON_DOWNLOADS": "never", "UV_PYTHON_PREFERENCE": "only-managed"}
    variables["UV_PYTHON_INSTALL_DIR"] = str(tmp_path / "none")
    lab = Lab(tmp_path / "artifacts", "local", variables, project=copy)
    lines = said(lab, "all", "--only", "dataset", "--engine", "local", code=4)
    assert "the stages need Python 3.11" in lines[0]
    assert "--engine docker" in lines[1]


def test_debug_shows_where_an_error_was_raised(lab: Lab) -> None:
    done = lab.run("all", "--model", "inception3", "--debug", code=2)
    assert "Traceback" in done.stderr
    assert "ProfileError" in done.stderr
