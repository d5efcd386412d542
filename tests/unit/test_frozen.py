"""A step runs the code that its key names, whatever is edited meanwhile."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coralline.catalogue import PROJECT, specs
from coralline.code import Code
from coralline.engines import HOME
from coralline.engines.base import Job
from coralline.engines.local import LocalEngine
from coralline.errors import EngineError, ProfileError
from coralline.frozen import KEPT_S, Frozen

if TYPE_CHECKING:
    from pathlib import Path

PROBE = """
import sys, time
from pathlib import Path
from stages import contract

def main(step):
    (step.out / "begun").touch()
    while not (step.inputs["data"] / "go").exists():
        time.sleep(0.01)
    from stages.probe import late
    (step.out / "said").write_text(late.WORD)
    step.record()

contract.run(main)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "stages" / "probe").mkdir(parents=True)
    (folder / "docker" / "report").mkdir(parents=True)
    for path in ("stages/__init__.py", "stages/contract.py", "docker/report/requirements.lock"):
        (folder / path).write_bytes((PROJECT / path).read_bytes())
    (folder / "stages" / "probe" / "__main__.py").write_text(PROBE)
    (folder / "stages" / "probe" / "late.py").write_text("WORD = 'old'\n")
    return folder


def code(project: Path) -> dict[str, str]:
    paths = sorted(path for path in (project / "stages").rglob("*.py"))
    return {str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_a_step_imports_what_its_key_names_though_the_file_was_edited_meanwhile(project: Path, tmp_path: Path) -> None:
    data, out, outcomes = tmp_path / "data", tmp_path / "out", list[int]()
    data.mkdir()
    out.mkdir()
    job = Job(
        label="probe",
        stage="probe",
        code=Frozen(project, tmp_path / "home").holding(code(project)),
        image="report",
        parameters={},
        threads=1,
        inputs={"data": data},
        out=out,
        log=tmp_path / "probe.log",
        memory_bytes=1 << 30,
        run_id="test",
        key="test",
    )
    engine = LocalEngine(PROJECT, HOME / "environments")
    engine.prepare("report", lambda _event: None)
    thread = threading.Thread(
        target=lambda: outcomes.append(engine.run(job, lambda _event: None, threading.Event()).exit_code)
    )
    thread.start()
    until = time.monotonic() + 60
    while not (out / "begun").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    (project / "stages" / "probe" / "late.py").write_text("WORD = 'new'\n")
    (data / "go").touch()
    thread.join(60)
    assert (outcomes, (out / "said").read_text()) == ([0], "old")


def test_what_was_edited_since_it_was_planned_is_named_and_not_run(project: Path, tmp_path: Path) -> None:
    planned = code(project)
    (project / "stages" / "probe" / "late.py").write_text("WORD = 'new'\n")
    with pytest.raises(ProfileError, match=r"stages/probe/late\.py was changed"):
        Frozen(project, tmp_path / "home").holding(planned)


def test_later_steps_of_a_run_may_be_of_newer_code(project: Path, tmp_path: Path) -> None:
    frozen = Frozen(project, tmp_path / "home")
    first = frozen.holding(code(project))
    (project / "stages" / "probe" / "late.py").write_text("WORD = 'new'\n")
    second = frozen.holding(code(project))
    assert first != second
    assert [(one / "stages" / "probe" / "late.py").read_text() for one in (first, second)] == [
        "WORD = 'old'\n",
        "WORD = 'new'\n",
    ]


def test_the_same_code_is_copied_once(project: Path, tmp_path: Path) -> None:
    folders = {Frozen(project, tmp_path / "home").holding(code(project)) for _ in range(3)}
    assert len(folders) == 1
    assert [path.name for path in (tmp_path / "home" / "code").iterdir()] == [path.name for path in folders]


def test_compiled_files_are_no_part_of_it(project: Path, tmp_path: Path) -> None:
    cache = project / "stages" / "probe" / "__pycache__"
    cache.mkdir()
    (cache / "late.cpython-311.pyc").write_bytes(b"stale")
    assert not list(Frozen(project, tmp_path / "home").holding(code(project)).rglob("*.pyc"))


def test_a_damaged_copy_is_not_used_and_not_touched(project: Path, tmp_path: Path) -> None:
    damaged = Frozen(project, tmp_path / "home").holding(code(project))
    (damaged / "stages" / "probe" / "late.py").write_text("WORD = 'damaged'\n")
    whole = Frozen(project, tmp_path / "home").holding(code(project))
    assert (whole / "stages" / "probe" / "late.py").read_text() == "WORD = 'old'\n"
    assert (damaged / "stages" / "probe" / "late.py").read_text() == "WORD = 'damaged'\n"


def hold(project: Path, home: Path) -> str:
    return str(Frozen(project, home).holding(code(project)))


def test_processes_that_begin_at_once_share_one_copy(project: Path, tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as pool:
        found = {one.result() for one in [pool.submit(hold, project, tmp_path / "home") for _ in range(12)]}
    assert len(found) == 1
    assert len(list((tmp_path / "home" / "code").iterdir())) == 1


def test_copies_that_no_step_used_for_long_are_forgotten(project: Path, tmp_path: Path) -> None:
    old = Frozen(project, tmp_path / "home").holding(code(project))
    (project / "stages" / "probe" / "late.py").write_text("WORD = 'new'\n")
    long_ago = time.time() - KEPT_S - 60
    os.utime(old, (long_ago, long_ago))
    new = Frozen(project, tmp_path / "home").holding(code(project))
    assert list((tmp_path / "home" / "code").iterdir()) == [new]


def test_a_copy_that_cannot_be_written_is_told(project: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "code").write_text("a file is in the way")
    with pytest.raises(EngineError, match="cannot be copied"):
        Frozen(project, tmp_path / "home").holding(code(project))


def test_after_a_copy_that_failed_an_older_one_is_not_taken_for_it(project: Path, tmp_path: Path) -> None:
    frozen, home = Frozen(project, tmp_path / "home"), tmp_path / "home" / "code"
    frozen.holding(code(project))
    (project / "stages" / "probe" / "late.py").write_text("WORD = 'new'\n")
    home.rename(tmp_path / "away")
    home.write_text("a file is in the way")
    for _ in range(2):
        with pytest.raises(EngineError, match="cannot be copied"):
            frozen.holding(code(project))


@given(content=st.binary(max_size=64))
def test_every_byte_is_copied(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    project = tmp_path_factory.mktemp("project")
    (project / "stages").mkdir()
    (project / "stages" / "table.bin").write_bytes(content)
    copy = Frozen(project, project / "home").holding({"stages/table.bin": hashlib.sha256(content).hexdigest()})
    assert (copy / "stages" / "table.bin").read_bytes() == content


def test_it_holds_the_code_of_every_stage_of_the_project(tmp_path: Path) -> None:
    known, frozen = Code(PROJECT, tmp_path / "memory.json"), Frozen(PROJECT, tmp_path / "home")
    for spec in specs().values():
        found = known.of_step(replace(spec, code=()), {})
        copy = frozen.holding(found)
        assert all((copy / path).is_file() for path in found)
