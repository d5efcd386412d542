"""Whole runs that many tests look at: made once for each session, on each engine."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab import CLASSIFICATION, Lab

from coralline import daemon
from coralline.catalogue import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _little_is_left_on_disk(tmp_path: Path) -> Iterator[None]:
    """Remove what a test made: weights are large, and pytest keeps the folders of three sessions."""
    yield
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that other users may enter; every session of pytest that begins closes those of all to them."""
    with tempfile.TemporaryDirectory(prefix="coralline-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A finished cold run on the local engine."""
    lab = Lab(tmp_path_factory.mktemp("local"), "local")
    lab.all()
    yield lab
    shutil.rmtree(lab.artifacts)


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A finished cold run on the local engine as far as the files, whose bytes others must come to."""
    lab = Lab(tmp_path_factory.mktemp("converted"), "local")
    lab.all("--only", "convert")
    yield lab
    shutil.rmtree(lab.artifacts)


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A finished cold run in Docker."""
    trouble = daemon.trouble()
    if trouble is not None:
        pytest.skip(f"whole runs in Docker: {trouble}")
    lab = Lab(tmp_path_factory.mktemp("docker"), "docker")
    lab.all()
    yield lab
    shutil.rmtree(lab.artifacts)


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A finished cold run of a network that tells classes, on the local engine."""
    lab = Lab(tmp_path_factory.mktemp("classifier"), "local", request=CLASSIFICATION)
    lab.all()
    yield lab
    shutil.rmtree(lab.artifacts)


@pytest.fixture(params=["local", "docker"], scope="session")
def whole(request: pytest.FixtureRequest) -> Lab:
    """A finished cold run, on one engine after the other."""
    found: Lab = request.getfixturevalue(request.param)
    return found


def sown(source: Lab, artifacts: Path, *stages: str) -> Lab:
    """A lab that already has the artifacts of some stages."""
    for label, record in source.records().items():
        if record["stage"] in stages:
            home = artifacts / "objects" / record["key"]
            shutil.copytree(source.artifacts / "objects" / record["key"], home)
            note = artifacts / "last" / label.replace("/", ".")
            note.parent.mkdir(exist_ok=True)
            note.write_text(record["key"])
    return Lab(artifacts, source.engine, request=source.request)


def can(*words: str) -> bool:
    """Whether a command works on this machine."""
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the images' recipes; what is known of the base is taken over, so that it is not made again."""
    shutil.copytree(PROJECT / "docker", tmp_path / "docker")
    home = tmp_path / ".coralline" / "images"
    home.mkdir(parents=True)
    for state in (PROJECT / ".coralline" / "images").glob("base-*.json"):
        shutil.copy(state, home)
    return tmp_path
