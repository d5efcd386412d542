"""Runs the whole check: linters and types, then every suite of tests in the environment that it belongs to.

    lint/X           a linter (tests/linters.py)
    tests/unit       the host side, no daemon and no TensorFlow
    tests/stages/X   the code that runs in image X, or in the image of stage X, in its packages with pytest added
    tests/system/X   X is runs: whole runs on both engines, hostile input, images; or ordeals: kills and lost machines
    tests/browser    the report in a headless browser, in the report image's packages
    tests/farm       steps on the workers of a Dask cluster inside the test, in the farm's packages

Called by `./run test [SUITE ...]`. Says at the end, by name, what this machine could not do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from coralline.catalogue import PROJECT as ROOT  # noqa: E402
from coralline.catalogue import specs  # noqa: E402
from coralline.console import clock, on_github, show_error  # noqa: E402
from coralline.environments import Environment  # noqa: E402
from coralline.errors import ProfileError, nearest  # noqa: E402
from tests.linters import LINTERS, NOT_POSSIBLE  # noqa: E402

SIDE_BY_SIDE = 4  # suites, each of which is mostly one thread
LONGEST = "system/runs"  # begun first, or it would run on alone at the end
ALONE = "system/ordeals"  # they count seconds, and what they kill must be doing something at that moment
MOST_NAMED = 5
HOME = ROOT / ".coralline" / "environments"
WITH_TOOLS = "import sys; sys.path.append({tools!r}); import pytest; sys.exit(pytest.main(sys.argv[1:]))"


def main(wanted: list[str]) -> int:
    """Run the wanted suites, or all; return the exit code."""
    if strange := [word for word in wanted if not any(is_meant(name, word) for name in names())]:
        known = {part for name in names() for part in (name, name.partition("/")[0])}
        show_error(ProfileError(f"no such suite {strange[0]!r}", hint=nearest(strange[0], known, "suites")))
        return ProfileError.code
    failed, undone = [], []
    suites = list(_suites(wanted))
    with ThreadPoolExecutor(max(1, min(SIDE_BY_SIDE, os.cpu_count() or 1))) as pool:
        for beside in (True, False):
            now = [(name, command) for name, command in suites if (name != ALONE) == beside]
            for name, code, skipped in pool.map(lambda suite: _run(*suite), now):
                failed += [name] if code else []
                undone += skipped
    for reason, tests in _by_reason(undone).items():
        named = ", ".join(tests[:MOST_NAMED]) + (f" and {len(tests) - MOST_NAMED} more" if tests[MOST_NAMED:] else "")
        print(f"not possible on this machine: {reason}: {named}")
    print("failed: " + ", ".join(failed) if failed else "all suites passed")
    return 1 if failed else 0


def _run(name: str, command: list[str]) -> tuple[str, int, list[tuple[str, str]]]:
    """Run a suite; print what it said when it ends, or as it goes when it is alone."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, Path(folder, "said").open("w+", encoding="utf-8") as said:
        told = Path(folder, "told.xml")
        report = ["--junitxml", str(told)] if "pytest" in " ".join(command) else []
        out = None if name == ALONE else said
        whole = [*command, *report]
        code = subprocess.run(whole, cwd=PROJECT, env=_surrounding(), stdout=out, stderr=out, check=False).returncode
        said.seek(0)
        text, taken = said.read(), clock(time.perf_counter() - started)
        if name.startswith("lint/") and code == NOT_POSSIBLE:
            return name, 0, [(name, text.splitlines()[-1])]
        ended = f"--- {name}: {'failed' if code else 'passed'} in {taken}"
        fold = on_github() and not code  # what failed stays in sight
        print(f"::group::{ended}\n{text}::endgroup::" if fold else f"{text}{ended}", flush=True)
        return name, code, _skipped(told)


def _suites(wanted: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the wanted suites with their commands; their environments are made on the way."""
    for name in names():
        if not wanted or any(is_meant(name, word) for word in wanted):
            yield name, _command(name)


def is_meant(name: str, word: str) -> bool:
    """Whether a word on the command line means the suite of this name, alone or with others of its kind."""
    return name == word or name.startswith(word + "/")


def names() -> list[str]:
    """Return the names of all suites in the order in which they begin."""
    stages = [path for path in (PROJECT / "tests" / "stages").iterdir() if any(path.glob("test_*.py"))]
    longest = sorted(stages, key=_size, reverse=True)
    return [
        LONGEST,
        *(f"lint/{name}" for name in LINTERS),
        *(f"stages/{path.name}" for path in longest),
        "unit",
        "browser",
        "farm",
        ALONE,
    ]


def _size(folder: Path) -> int:
    """Guess how long a suite takes: begun first, the longest one does not run on alone at the end."""
    return sum(path.stat().st_size for path in folder.glob("*.py"))


def _command(name: str) -> list[str]:
    kind, _, rest = name.partition("/")
    if kind == "stages":
        return _in_stage(_image(rest), f"tests/stages/{rest}")
    if kind == "browser":
        return _in_stage("report", "tests/browser")
    if kind == "farm":
        return _with_tools(_environment("farm"), "tests/farm")
    if kind == "lint":
        linter = LINTERS[rest]
        return [str(_environment(linter.environment).python.with_name(linter.program)), *linter.words]
    return [str(_environment("test").python), "-m", "pytest", "-q", f"tests/{name}"]


def _image(name: str) -> str:
    """Find the image of a suite: that of its name, or else the one in which the stage of its name runs."""
    is_image = (PROJECT / "docker" / name / "requirements.lock").is_file()
    return name if is_image else specs()[name].variants[0].image


def _in_stage(image: str, folder: str) -> list[str]:
    stage = Environment(image, PROJECT / "docker" / image / "requirements.lock", HOME)
    stage.ensure(print)
    return _with_tools(stage, folder)


def _with_tools(environment: Environment, folder: str) -> list[str]:
    """Run tests in an environment that lacks what tests need, which is added at the end of its path."""
    tools = str(_environment("stage-tests").packages)
    return [str(environment.python), "-c", WITH_TOOLS.format(tools=tools), "-q", folder]


def _environment(name: str) -> Environment:
    made = Environment(name, PROJECT / "requirements" / f"{name}.lock", HOME)
    made.ensure(print)
    return made


def _skipped(told: Path) -> list[tuple[str, str]]:
    """Name the tests that pytest skipped, with their reasons."""
    if not told.exists():
        return []
    cases = ET.parse(told).iter("testcase")  # noqa: S314 - pytest has just written it
    return [(str(case.get("name")), str(skip.get("message"))) for case in cases for skip in case.iter("skipped")]


def _by_reason(skipped: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, reason in skipped:
        found.setdefault(reason, []).append(name)
    return found


def _surrounding() -> dict[str, str]:
    path = os.pathsep.join([str(HOME.parent / "host" / "bin"), os.environ["PATH"]])
    ours = {name: value for name, value in os.environ.items() if name != "GITHUB_ACTIONS"}  # tests read plain lines
    return {**ours, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
