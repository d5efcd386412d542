"""What the orchestrator's container is given, by a Docker client that only writes down its words.

tests/system/runs/test_without_python.py runs the real one.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from coralline.catalogue import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

CLIENT = """#!/bin/sh
[ "$1" = run ] && for word; do printf '%s\\0' "$word"; done
exit 0
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a project, a client and a daemon's socket; the project's own path has what paths may have."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text(CLIENT)
    (tmp_path / "bin" / "docker").chmod(0o755)
    for name in ("docker/orchestrator", "requirements"):
        shutil.copytree(PROJECT / name, tmp_path / 'a, "checkout"' / name)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "docker.sock"))
    (tmp_path / "work").mkdir()
    return tmp_path


def started(place: Path, *words: str, code: int = 0, umask: int = 0o022) -> list[str]:
    """Return the words that the client was given; `code` is the exit code to expect."""
    project = place / 'a, "checkout"'
    done = subprocess.run(
        ["sh", project / "docker/orchestrator/start.sh", project, *words],
        cwd=place / "work",
        env={
            "PATH": f"{place / 'bin'}:{os.defpath}",
            "DOCKER_HOST": f"unix://{place / 'docker.sock'}",
            "TMPDIR": str(place / "work"),
        },
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout.split("\0") if code == 0 else done.stderr.splitlines()


def mounts(told: list[str]) -> list[str]:
    return [word.partition("target=")[2].strip('"') for word in told if word.startswith("type=bind,")]


def test_the_user_s_words_come_last_as_they_are(place: Path) -> None:
    words = ("all", "--model", "a b", "--set=x='*'", "", "-x")
    told = started(place, *words)
    assert told[-len(words) - 1 : -1] == list(words)
    assert told[-len(words) - 2] == str(place / 'a, "checkout"')


@pytest.mark.parametrize(
    ("word", "path"), [("link", "/usr/share"), ("--data=link", "/usr/share"), ("link/doc", "/usr/share/doc")]
)
def test_what_a_link_leads_to_is_seen_too(place: Path, word: str, path: str) -> None:
    (place / "work" / "link").symlink_to("/usr/share")
    assert path not in mounts(started(place, "all"))
    assert path in mounts(started(place, "all", word))


@pytest.mark.parametrize("word", ["/usr", "/usr/", "/usr/../usr", "--to=/etc/"])
def test_a_folder_that_hides_the_image_s_own_is_refused_however_it_is_written(place: Path, word: str) -> None:
    path = word.removeprefix("--to=")
    assert started(place, "all", word, code=4)[0] == f"error: {path} cannot be used where Python is missing"


def test_what_hides_the_image_s_own_is_not_seen_because_something_would_be_made_in_it(place: Path) -> None:
    assert "/" not in mounts(started(place, "all", "--to=/not/there"))


@pytest.mark.parametrize("umask", [0o077, 0o002])
def test_files_are_as_closed_as_the_user_wants(place: Path, tmp_path: Path, umask: int) -> None:
    told = started(place, "all", umask=umask)
    within = told.index(str(place / 'a, "checkout"' / "docker/orchestrator/within.py"))
    assert int(told[within + 2], 8) == umask
    (tmp_path / "coralline").mkdir()
    (tmp_path / "coralline" / "__init__.py").touch()
    (tmp_path / "coralline" / "front.py").write_text("def main():\n    open('made', 'w').close()\n")
    command = [sys.executable, PROJECT / "docker/orchestrator/within.py", str(os.getpid()), *told[within + 2 : -1]]
    subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, check=True)
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o666 & ~umask
