"""Suites of the whole check: every test belongs to one, and a word that means none is refused."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from coralline.catalogue import PROJECT
from coralline.front import Front
from tasks import namespace
from tests import suites


def test_every_test_belongs_to_exactly_one_suite() -> None:
    files = {path.relative_to(PROJECT / "tests") for path in (PROJECT / "tests").rglob("test_*.py")}
    folders = [name for name in suites.names() if not name.startswith("lint/")]
    held = Counter(path for path in files for name in folders if path.is_relative_to(name))
    assert {path: held[path] for path in files} == dict.fromkeys(files, 1)


def test_what_counts_seconds_comes_last_and_alone() -> None:
    assert suites.names()[-1] == suites.ALONE
    assert suites.names()[0] == suites.LONGEST


@pytest.mark.parametrize("word", ["nothing", "stages/nothing", "lin", "unit/verify"])
def test_a_suite_that_does_not_exist_is_refused_with_those_that_do(word: str) -> None:
    words = [sys.executable, PROJECT / "tests" / "suites.py", "unit", word]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    message, there = done.stderr.splitlines()
    assert message == f"error: no such suite {word!r}"
    assert "lint, " in there
    assert there.endswith("system, system/ordeals, system/runs, unit")


@pytest.mark.parametrize(
    ("words", "read"),
    [
        (["test", "lint"], ["test", "--suites=lint"]),  # `lint` is a task too
        (["test", "unit,lint"], ["test", "--suites=unit,lint"]),
        (["test"], ["test"]),
        (["test", "--suites", "lint"], ["test", "--suites", "lint"]),
        (["lint", "test"], ["lint", "test"]),  # two tasks: the first takes no word
        (["image.build", "dataset"], ["image.build", "--names=dataset"]),
    ],
)
def test_the_word_after_a_task_that_takes_one_is_its_own(words: list[str], read: list[str]) -> None:
    front = Front(namespace=namespace)
    front.collection = namespace
    assert list(front._named(words)) == read
