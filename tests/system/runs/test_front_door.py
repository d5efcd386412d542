"""`./run` itself: from anywhere, through a link, and on machines that lack what it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from coralline.catalogue import PROJECT

TOOLS = ("sh", "dirname", "cmp", "mkdir", "rm", "mv", "cp", "readlink")


def started(command: list[str | Path], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )


def test_it_runs_from_another_folder(tmp_path: Path) -> None:
    done = started([PROJECT / "run", "models"], tmp_path)
    assert (done.returncode, "inceptionv3" in done.stdout) == (0, True)
    assert list(tmp_path.iterdir()) == []


def test_it_runs_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "coralline").symlink_to(PROJECT / "run")
    done = started([tmp_path / "coralline", "models"], tmp_path)
    assert (done.returncode, "inceptionv3" in done.stdout) == (0, True), done.stderr


def test_it_runs_through_a_link_to_a_link_and_a_linked_folder(tmp_path: Path) -> None:
    (tmp_path / "checkout").symlink_to(PROJECT)
    (tmp_path / "one").symlink_to("checkout/run")
    (tmp_path / "two").symlink_to("one")
    done = started([tmp_path / "two", "models"], tmp_path)
    assert (done.returncode, "inceptionv3" in done.stdout) == (0, True), done.stderr


def test_what_lies_in_the_user_s_folder_is_never_run(tmp_path: Path) -> None:
    for name in ("coralline", "invoke", "stages"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('run by mistake')\n")
    (tmp_path / "json.py").write_text("raise SystemExit('run by mistake')\n")
    done = started([PROJECT / "run", "models"], tmp_path)
    assert (done.returncode, "inceptionv3" in done.stdout) == (0, True), done.stderr


def test_without_words_it_lists_the_tasks(tmp_path: Path) -> None:
    done = started([PROJECT / "run"], tmp_path)
    assert done.returncode == 0
    assert "image.build" in done.stdout


def test_in_a_folder_that_no_environment_can_be_in_it_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "2026-11-22 10:30"
    folder.mkdir()
    shutil.copy(PROJECT / "run", folder)
    done = started([folder / "run", "models"], tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0].startswith(f"error: the project lies in '{folder}'")
    assert [path.name for path in folder.iterdir()] == ["run"]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A checkout that was never set up, with a folder of tools that has no Python."""
    checkout = tmp_path / "checkout"
    shutil.copytree(PROJECT / "requirements", checkout / "requirements")
    shutil.copy(PROJECT / "run", checkout)
    (tmp_path / "bin").mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found is not None, name
        (tmp_path / "bin" / name).symlink_to(Path(found).resolve())
    return checkout


def test_without_python_and_docker_it_says_what_to_install(bare: Path, tmp_path: Path) -> None:
    done = started([bare / "run", "all"], tmp_path, PATH=str(tmp_path / "bin"))
    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: neither Python 3.11 nor Docker is here",
        "  install Python 3.11 or newer (Debian: apt install python3 python3-venv)",
    ]
    assert not (bare / ".coralline").exists()


def test_a_python_that_is_too_old_does_not_count(bare: Path, tmp_path: Path) -> None:
    for name in ("python3", "python3.11"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "bin" / name).chmod(0o755)
    done = started([bare / "run", "all"], tmp_path, PATH=str(tmp_path / "bin"))
    assert done.returncode == 4
    assert done.stderr.startswith("error: neither Python 3.11 nor Docker is here\n  install ")
    done = started([bare / "run", "all"], tmp_path, PATH=str(tmp_path / "bin"), CORALLINE_PYTHON="python3")
    assert done.returncode == 4
    assert done.stderr.startswith("error: CORALLINE_PYTHON=python3 is no Python of at least 3.11\n  unset it")


def test_without_network_it_says_that_the_host_environment_cannot_be_made(bare: Path, tmp_path: Path) -> None:
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    done = started([bare / "run", "models"], tmp_path, **nowhere, PIP_RETRIES="0", PIP_NO_CACHE_DIR="1")
    assert done.returncode == 5
    assert "error: the host environment cannot be made\n  is the Python package index reachable?" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (bare / ".coralline" / "host" / ".made-from").exists()  # so the next start makes it
