"""A stage made for a test, and a job that runs it: what an engine lets a step do is asked from inside."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from coralline.catalogue import PROJECT
from coralline.engines.base import Job

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = "report"  # the smallest


def make_project(folder: Path, source: str) -> Path:
    """Write a project whose only stage, `probe`, is this source."""
    shutil.copytree(PROJECT / "docker", folder / "docker")
    (folder / "stages" / "probe").mkdir(parents=True)
    for name in ("__init__.py", "contract.py"):
        shutil.copy(PROJECT / "stages" / name, folder / "stages")
    (folder / "stages" / "probe" / "__main__.py").write_text(source)
    return folder


def make_job(folder: Path, project: Path, *, memory_bytes: int, partial: Path | None = None, **parameters: Any) -> Job:
    """Return a job of the stage `probe` of a project with one input, all of it below `folder`."""
    data, out = folder / "data", folder / "out"
    for place in (data, out):
        place.mkdir(exist_ok=True)
    (data / "file").write_text("seen")
    return Job(
        label="probe/x",
        stage="probe",
        code=project,
        image=IMAGE,
        parameters=parameters,
        threads=1,
        inputs={"data": data},
        out=out,
        partial=partial,
        log=folder / "logs" / "probe.x.log",
        memory_bytes=memory_bytes,
        run_id="test",
        key=str(folder),
    )
