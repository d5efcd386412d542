from __future__ import annotations

import ast
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from coralline.catalogue import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Who may know whom on the host side: a room may import only rooms further down this list, or beside it on its line.
FLOORS = (
    "front tasks",
    "commands",
    "verify",
    "session",
    "workplace",
    "farm",
    "execute make pool outposts console results spread doctor proof bundle pack care",
    "plan runs",
    "engines images daemon",
    "graph key store code frozen datafolder digestindex environments provenance offline",
    "request outputs question placement sweep",
    "parameters host devices notices catalogue errors revision",
)
HOST = sorted((PROJECT / "coralline").rglob("*.py"))
STAGES = sorted((PROJECT / "stages").rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor(name: str) -> int | None:
    return next((number for number, rooms in enumerate(FLOORS) if name in rooms.split()), None)


@pytest.mark.parametrize("path", STAGES, ids=str)
def test_stages_never_import_the_host_side(path: Path) -> None:
    assert not [name for name in imports(path) if name.split(".")[0] in ("coralline", "tasks", "invoke", "docker")]


@pytest.mark.parametrize("path", HOST, ids=str)
def test_the_host_side_knows_only_what_stages_models_and_sources_declare(path: Path) -> None:
    known = [name for name in imports(path) if name.startswith("stages.")]
    assert all(".spec" in name or name.startswith(("stages.models", "stages.dataset.sources")) for name in known)
    heavy = {"tensorflow", "numpy", "PIL", "numba", "keras", "tasks"}
    assert not [name for name in imports(path) if name.split(".")[0] in heavy]


@pytest.mark.parametrize("path", HOST, ids=str)
def test_arrows_between_rooms_point_down(path: Path) -> None:
    parts = path.relative_to(PROJECT / "coralline").with_suffix("").parts
    own = floor(parts[0])
    if parts == ("__init__",):
        return
    assert own is not None, f"{parts[0]} stands on no floor"
    for name in imports(path):
        if name.startswith("coralline."):
            other = floor(name.split(".")[1])
            assert other is None or other >= own, f"{path.name} looks up to {name}"


@pytest.mark.parametrize("path", [*HOST, *STAGES], ids=str)
def test_files_are_small_enough_to_hold_in_the_head(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 500


@pytest.mark.parametrize("path", STAGES, ids=str)
def test_stages_are_readable_by_python_3_9(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 9))


def test_the_front_door_loads_nothing_heavy() -> None:
    heavy = ("docker", "rich", "sqlite3", "jinja2", "tabulate", "numpy", "requests")
    code = f"import sys; import tasks; print(*sorted(name for name in {heavy} if name in sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == ""
