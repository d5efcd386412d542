"""The scripts of the workflows, run as a runner runs them: for real where they can be, with stand-ins for GitHub."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from lab import REQUEST

from coralline.catalogue import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

    from lab import Lab

LEFT_BEHIND = shutil.ignore_patterns(
    ".git", ".coralline", "artifacts", ".*_cache", "__pycache__", ".hypothesis", "*.zip"
)
GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org")
GH = """#!/bin/sh
printf '%s\\n' "$*" >>"$TOLD"
case "$1 $2" in "pr list") printf '%s' "${OPEN:-}" ;; esac
"""


@dataclass
class Runner:
    """A checkout on a runner: its scripts are started with the files into which they write for GitHub."""

    root: Path
    project: Path
    variables: dict[str, str] = field(default_factory=dict)

    def start(self, script: str, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        files = {name: str(self.root / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "TOLD")}
        path = os.pathsep.join([str(self.root / "bin"), os.environ["PATH"]])
        return subprocess.run(
            [self.project / ".ci" / script, *map(str, words)],
            cwd=self.root,
            env={**os.environ, **files, "PATH": path, **self.variables, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, script: str, *words: object, **variables: str) -> str:
        done = self.start(script, *words, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def read(self, name: str) -> str:
        path = self.root / name
        return path.read_text() if path.exists() else ""

    def git(self, *words: str) -> str:
        return subprocess.run([*GIT, "-C", self.project, *words], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A checkout of this project with a remote, and a `gh` that writes down what it was asked."""
    made = Runner(tmp_path, tmp_path / "checkout")
    shutil.copytree(PROJECT, made.project, ignore=LEFT_BEHIND, symlinks=True)
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "remote"], check=True)
    (made.project / ".coralline").mkdir()
    (made.project / ".coralline" / "host").symlink_to(PROJECT / ".coralline" / "host")
    made.git("init", "--quiet", "--initial-branch", "main")
    made.git("remote", "add", "origin", str(tmp_path / "remote"))
    made.git("add", "--all")
    made.git("commit", "--quiet", "--message", "all", "--date", "2026-01-01T00:00:00Z")
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(GH)
    gh.chmod(0o755)
    return made


@pytest.fixture
def stub(tmp_path: Path) -> Runner:
    """A project whose `./run` is a stand-in: it notes what it was asked, and answers and ends as the test wants."""
    made = Runner(tmp_path, tmp_path / "stub")
    shutil.copytree(PROJECT / ".ci", made.project / ".ci")
    run = made.project / "run"
    run.write_text('#!/bin/sh\nprintf "%s\\n" "$*" >>"$TOLD"\nprintf "${ANSWER:-}"\nexit "${CODE:-0}"\n')
    run.chmod(0o755)
    return made


def test_the_host_side_sets_itself_up_and_passes_its_tests(runner: Runner) -> None:
    (runner.project / ".coralline" / "host").unlink()
    told = runner.run("host", sys.executable, "tests/unit/test_console.py", "-p", "no:cacheprovider")
    assert "image.build" in told
    assert " passed" in told


def test_a_run_is_bundled_and_made_again(local: Lab, tmp_path: Path) -> None:
    here = Runner(tmp_path, PROJECT, {"CORALLINE_ARTIFACTS": str(local.artifacts)})
    here.run("pipeline", "local", tmp_path / "run.zip", *REQUEST)
    here.run("again", tmp_path / "run.zip", tmp_path / "again", "dataset", "report")
    assert ["1 identical" in here.read(f"again/{stage}.txt") for stage in ("dataset", "report")] == [True, True]
    assert not list((tmp_path / "again").glob("*.tar.gz"))
    summary = here.read("GITHUB_STEP_SUMMARY")
    assert "### Results, engine local" in summary
    assert "### Made again: report" in summary


def test_a_pipeline_that_would_run_again_fails(stub: Runner) -> None:
    done = stub.start("pipeline", "local", "run.zip", ANSWER="run      train/a: code\\n")
    assert done.returncode == 1
    assert "bundle" not in stub.read("TOLD")


def test_a_difference_is_kept_and_ends_with_its_code(stub: Runner) -> None:
    (stub.root / "kept").mkdir()
    (stub.root / "kept" / "weights.h5").write_bytes(b"other")
    told = f"different  L3  train/a\\nkept    {stub.root / 'kept'}\\n"
    done = stub.start("again", stub.root / "run.zip", stub.root / "out", "train", ANSWER=told, CODE="10")
    assert done.returncode == 10
    listed = subprocess.run(["tar", "-tzf", stub.root / "out/train.tar.gz"], capture_output=True, check=True)
    assert b"weights.h5" in listed.stdout


def test_images_are_told_here_and_compared_elsewhere(stub: Runner) -> None:
    stub.run("images", "tell", "train,convert", stub.root / "told.json", ANSWER='{"schema": 1}\\n')
    assert stub.read("told.json") == '{"schema": 1}\n'
    done = stub.start("images", "compare", "train,convert", stub.root / "told.json", ANSWER="layer 2\\n", CODE="5")
    assert (done.returncode, "    layer 2" in stub.read("GITHUB_STEP_SUMMARY")) == (5, True)
    assert stub.read("TOLD").splitlines()[1] == f"image.verify train,convert --against {stub.root / 'told.json'}"
    assert stub.start("images", "guess", "train", "file").returncode == 2


def outdated(runner: Runner) -> None:
    """Have the lock of the build hold an old version."""
    lock = runner.project / "requirements" / "build.lock"
    lock.write_text("setuptools==80.9.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    runner.git("commit", "--quiet", "--all", "--message", "old")


def test_old_locks_become_a_pull_request_and_the_next_time_the_same_one(runner: Runner) -> None:
    outdated(runner)
    runner.run("locks", runner.root / "locks", "build")
    assert runner.read("GITHUB_OUTPUT") == "changed=true\n"
    assert "| build | setuptools | 80.9.0 |" in runner.read("locks/changes.md")
    runner.git("checkout", "--quiet", "--", ".")
    runner.run("propose", runner.root / "locks", GH_TOKEN="none")
    assert runner.git("diff", "--name-only", "HEAD~1", "origin/locks").split() == ["requirements/build.lock"]
    assert "pr create --base main --head locks" in runner.read("TOLD")
    runner.git("reset", "--quiet", "--hard", "HEAD~1")
    runner.run("propose", runner.root / "locks", GH_TOKEN="none", OPEN="7")
    assert "pr edit 7 --title Refresh the locks" in runner.read("TOLD")


@pytest.mark.parametrize("how", ["changed", "renamed into a lock", "replaced by a link", "a link among the locks"])
def test_a_patch_of_anything_but_locks_is_refused(runner: Runner, how: str) -> None:
    tasks, lock = runner.project / "tasks.py", runner.project / "docker" / "tasks.lock"
    if how == "changed":
        tasks.write_text("raise SystemExit\n")
    elif how == "renamed into a lock":
        tasks.rename(lock)
    else:
        link = tasks if how == "replaced by a link" else lock
        link.unlink(missing_ok=True)
        link.symlink_to("../tasks.py")
    (runner.root / "locks").mkdir()
    runner.git("add", "--all")
    (runner.root / "locks" / "locks.patch").write_text(runner.git("diff", "--cached", "--binary", "--find-renames"))
    runner.git("reset", "--quiet", "--hard")
    done = runner.start("propose", runner.root / "locks", GH_TOKEN="none")
    assert (done.returncode, "tasks." in done.stderr) == (1, True), done.stderr
    assert runner.read("TOLD") == ""


def test_a_release_is_the_same_bytes_twice_and_holds_only_what_is_committed(runner: Runner) -> None:
    (runner.project / "coralline" / "left_over.py").write_text("")
    for folder in ("one", "two"):
        runner.run("release", runner.root / folder)
    assert runner.read("one/SHA256SUMS") == runner.read("two/SHA256SUMS")
    wheel = next((runner.root / "one").glob("*.whl"))
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"coralline/front.py", "stages/edgetpu/chip.json"} <= names
    assert "coralline/left_over.py" not in names
    done = runner.start("release", runner.root / "three", GITHUB_REF_TYPE="tag", GITHUB_REF_NAME="v9.9.9")
    assert (done.returncode, "the tag is v9.9.9" in done.stderr) == (1, True)


def test_what_is_published_holds_its_sums_and_has_a_text(stub: Runner) -> None:
    (stub.project / "CHANGELOG.md").write_text("# Changelog\n\n## 1.0 (2026)\n\n- all of it\n\n## 0.9\n\n- less\n")
    made = stub.root / "made"
    made.mkdir()
    (made / "a.tar.gz").write_bytes(b"a")
    (made / "SHA256SUMS").write_text(f"{hashlib.sha256(b'a').hexdigest()}  a.tar.gz\n")
    gh = stub.root / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(
        '#!/bin/sh\nprintf "%s " "$@" >>"$TOLD"\nwhile [ "$1" != --notes-file ]; do shift; done\ncat "$2" >>"$TOLD"\n'
    )
    gh.chmod(0o755)
    stub.run("publish", made, GITHUB_REF_NAME="v1.0")
    assert stub.read("TOLD").startswith("release create v1.0 --verify-tag")
    assert "- all of it" in stub.read("TOLD")
    assert "- less" not in stub.read("TOLD")
    assert stub.start("publish", made, GITHUB_REF_NAME="v2.0").returncode == 1
    (made / "a.tar.gz").write_bytes(b"b")
    assert stub.start("publish", made, GITHUB_REF_NAME="v1.0").returncode != 0
    assert stub.read("TOLD").count("release create") == 1
