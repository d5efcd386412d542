"""What the workflows must keep to beyond the linters: one pin for an action, shell in scripts, least permissions."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from coralline.catalogue import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
EXAMPLE = PROJECT / "docs" / "how-to" / "continuous-integration.md"
SCRIPTS = sorted((PROJECT / ".ci").iterdir())
USES = re.compile(r"^ *-? *uses: (\S+)@(\S+)(?: # (\S+))?$", re.MULTILINE)
RUN = re.compile(r"^ *-? *run: (.*)$", re.MULTILINE)
STEP = re.compile(r"^      - ", re.MULTILINE)
JOB = re.compile(r"^  ([a-z-]+):$", re.MULTILINE)
WRITES = re.compile(r"^ +([a-z-]+): write", re.MULTILINE)
MAY_WRITE = {
    "locks.yml": ["contents", "pull-requests"],
    "release.yml": ["attestations", "id-token", "contents"],
}
by_name = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def jobs(path: Path) -> list[str]:
    """The text of each job."""
    _, _, text = path.read_text(encoding="utf-8").partition("\njobs:\n")
    starts = [match.start() for match in JOB.finditer(text)]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


@by_name
def test_actions_are_pinned_by_commit_with_their_version_beside_it(path: Path) -> None:
    for action, commit, version in USES.findall(path.read_text(encoding="utf-8")):
        assert re.fullmatch(r"[0-9a-f]{40}", commit), action
        assert re.fullmatch(r"v\d+\.\d+\.\d+", version), action


def test_an_action_has_one_pin_in_all_workflows_and_in_what_users_are_shown() -> None:
    pins: dict[str, set[tuple[str, str]]] = {}
    for path in [*WORKFLOWS, EXAMPLE]:
        for action, commit, version in USES.findall(path.read_text(encoding="utf-8")):
            pins.setdefault(action, set()).add((commit, version))
    assert {action: len(known) for action, known in pins.items()} == dict.fromkeys(pins, 1)


@by_name
def test_actions_are_github_s_own(path: Path) -> None:
    assert all(action.startswith("actions/") for action, _, _ in USES.findall(path.read_text(encoding="utf-8")))


@by_name
def test_nothing_is_permitted_but_what_a_job_asks_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "\npermissions: {}\n" in text
    assert all("\n    permissions:" in job and "\n    timeout-minutes:" in job for job in jobs(path))
    assert WRITES.findall(text) == MAY_WRITE.get(path.name, [])


@by_name
def test_a_checkout_keeps_no_credentials(path: Path) -> None:
    for job in jobs(path):
        steps = STEP.split(job)
        assert all("persist-credentials: false" in step for step in steps if "actions/checkout@" in step)


@by_name
def test_what_was_fetched_never_runs_beside_a_permission_to_write(path: Path) -> None:
    for job in jobs(path):
        if WRITES.search(job):
            assert all(line.startswith((".ci/propose ", ".ci/publish ")) for line in RUN.findall(job))


@by_name
def test_the_shell_of_a_step_is_one_line_that_starts_a_script(path: Path) -> None:
    for line in RUN.findall(path.read_text(encoding="utf-8")):
        program, *_ = line.split()
        assert program in {"./run", "diff"} or (PROJECT / program).is_file(), line
        assert not re.search(r"[|&;<>`]|\$\{\{|\$\(", line), line


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_started_and_says_what_it_does(path: Path) -> None:
    first, second, *_ = path.read_text(encoding="utf-8").splitlines()
    assert os.access(path, os.X_OK)
    assert first == "#!/bin/bash"
    assert re.fullmatch(r"# [A-Z].{20,}", second)
    assert "\nset -euo pipefail\n" in path.read_text(encoding="utf-8")


def test_every_script_is_started_by_a_workflow_or_another_script() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in [*WORKFLOWS, *SCRIPTS])
    assert not [path.name for path in SCRIPTS if f".ci/{path.name} " not in text and f".ci/{path.name}\n" not in text]


def test_hooks_are_pinned_by_commit_with_their_version_beside_it() -> None:
    text = (PROJECT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    revisions = re.findall(r"^    rev: (.*)$", text, re.MULTILINE)
    assert len(revisions) == text.count("repo: https://")
    assert all(re.fullmatch(r"[0-9a-f]{40} # frozen: v?[\d.-]+", revision) for revision in revisions)
