"""Runs the whole check: lint and types, then every suite of tests in the environment that it belongs to.

    tests/unit       the host side, no daemon and no TensorFlow
    tests/stages/X   the code that runs in image X, in X's own packages with pytest added
    tests/system     whole runs on both engines, kills, hostile input
    tests/browser    the report in a headless browser

Called by `./run test [SUITE ...]`. Says at the end, by name, what this machine could not do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from coralline.catalogue import PROJECT as ROOT  # noqa: E402
from coralline.console import clock  # noqa: E402
from coralline.environments import Environment  # noqa: E402

HOME = ROOT / ".coralline" / "environments"
LINT = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
)
IN_STAGE = "import sys; sys.path.append({tools!r}); import pytest; sys.exit(pytest.main(sys.argv[1:]))"


def main(wanted: list[str]) -> int:
    """Run the wanted suites, or all; return the exit code."""
    failed = []
    for name, command in _suites():
        if wanted and not any(name == word or name.startswith(word + "/") for word in wanted):
            continue
        started = time.perf_counter()
        print(f"--- {name}", flush=True)
        code = subprocess.run(command, cwd=PROJECT, env=_surrounding(), check=False).returncode
        print(f"--- {name}: {'failed' if code else 'passed'} in {clock(time.perf_counter() - started)}", flush=True)
        failed += [name] if code else []
    print("failed: " + ", ".join(failed) if failed else "all suites passed")
    return 1 if failed else 0


def _suites() -> list[tuple[str, list[str]]]:
    test = _environment("test")
    pytest = [str(test.python), "-m", "pytest", "-q"]
    found = [(f"lint/{words[0]}-{words[-1]}", [str(test.path / "bin" / words[0]), *words[1:]]) for words in LINT]
    found.append(("unit", [*pytest, "tests/unit"]))
    folders = sorted(path for path in (PROJECT / "tests" / "stages").iterdir() if any(path.glob("test_*.py")))
    found.extend((f"stages/{folder.name}", _in_stage(folder)) for folder in folders)
    return [*found, ("system", [*pytest, "tests/system"]), ("browser", [*pytest, "tests/browser"])]


def _in_stage(folder: Path) -> list[str]:
    tools = str(_environment("stage-tests").packages)
    stage = Environment(folder.name, PROJECT / "docker" / folder.name / "requirements.lock", HOME)
    stage.ensure(print)
    return [str(stage.python), "-c", IN_STAGE.format(tools=tools), "-q", str(folder)]


def _environment(name: str) -> Environment:
    made = Environment(name, PROJECT / "requirements" / f"{name}.lock", HOME)
    made.ensure(print)
    return made


def _surrounding() -> dict[str, str]:
    path = os.pathsep.join([str(HOME.parent / "host" / "bin"), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
