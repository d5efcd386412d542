from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from coralline import revision

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository of one commit."""
    git(tmp_path, "init", "-q")
    (tmp_path / "code.py").write_text("x = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-qm", "first")
    return tmp_path


def git(folder: Path, *words: str) -> str:
    quiet = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return subprocess.run(
        ["git", "-C", folder, *words], env=quiet, capture_output=True, text=True, check=True
    ).stdout.strip()


def told(project: Path) -> revision.Revision | None:
    revision.of.cache_clear()
    return revision.of(project)


def test_a_clean_tree_is_its_commit(project: Path) -> None:
    assert told(project) == {"commit": git(project, "rev-parse", "HEAD"), "dirty": False}


def test_changed_removed_and_new_files_are_told(project: Path) -> None:
    (project / "new.py").touch()
    assert told(project) == {"commit": git(project, "rev-parse", "HEAD"), "dirty": True}
    (project / "new.py").unlink()
    (project / "code.py").write_text("x = 2\n")
    assert told(project) == {"commit": git(project, "rev-parse", "HEAD"), "dirty": True}
    (project / "code.py").unlink()
    assert told(project) == {"commit": git(project, "rev-parse", "HEAD"), "dirty": True}


def test_what_is_ignored_is_no_change(project: Path) -> None:
    (project / ".git" / "info" / "exclude").write_text("artifacts/\n")
    (project / "artifacts").mkdir()
    (project / "artifacts" / "x").touch()
    assert told(project) == {"commit": git(project, "rev-parse", "HEAD"), "dirty": False}


def test_a_folder_inside_somebody_else_s_repository_has_no_revision(project: Path) -> None:
    (project / "inside").mkdir()
    assert told(project / "inside") is None


def test_nothing_is_said_without_a_commit_or_without_git(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path_factory.mktemp("bare")
    git(bare, "init", "-q")
    assert told(bare) is None
    monkeypatch.setenv("PATH", str(bare))
    assert told(project) is None


def test_what_a_hook_of_another_repository_says_is_not_ours(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, other = git(project, "rev-parse", "HEAD"), tmp_path_factory.mktemp("other")
    git(other, "init", "-q")
    git(other, "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-q", "--allow-empty", "-m", "other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert told(project) == {"commit": commit, "dirty": False}


def test_git_is_asked_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = told(project)
    monkeypatch.setenv("PATH", "")
    assert revision.of(project) == first is not None
