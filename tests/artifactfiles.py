"""Artifacts made without any stage: published by the store itself, under keys that are the digests of their parts."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fakes import spec

from coralline import runs
from coralline.key import key_of

if TYPE_CHECKING:
    from coralline.store import Artifact, Store

SPEC = spec("thing")
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - for folders of random names


def folder_in_memory() -> Path:
    """A new folder on a file system whose syncs cost nothing, where there is one; to be removed by the caller."""
    return Path(tempfile.mkdtemp(dir=IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None))


def parts(name: str, inputs: dict[str, str] | None = None, **parameters: Any) -> dict[str, Any]:
    """What the artifact of that name is made from."""
    own = {"name": name, **parameters}
    image = {"name": "image-thing", "engine": "fake", "lock": "0" * 64}
    code = {"stages/thing/__main__.py": "1" * 64}
    return {
        "stage": "thing",
        "parameters": own,
        "inputs": inputs or {},
        "code": code,
        "image": image,
        "host": None,
        "missing": {},
    }


def key(name: str, inputs: dict[str, str] | None = None, **parameters: Any) -> str:
    """The key of that artifact."""
    return key_of(parts(name, inputs, **parameters))


def publish(
    store: Store,
    name: str,
    content: str = "{}",
    inputs: dict[str, str] | None = None,
    numbers: tuple[tuple[str, float], ...] = (),
    **parameters: Any,
) -> Artifact:
    """Make an artifact as a run does, but for the step."""
    own = key(name, inputs, **parameters)
    record = {
        "label": f"thing/{name}",
        "stage": "thing",
        "run": "none",
        "key_parts": parts(name, inputs, **parameters),
        "host": {"cpu_model": "abacus", "cores": 2},
        "engine": {"name": "fake", "image": "i"},
        "threads": 1,
    }
    with store.building(own, lambda: None, lambda: False) as folder:
        assert folder is not None
        (folder / "out.json").write_text(content)
        told = {"numbers": [{"metric": m, "value": v, "unit": "1"} for m, v in numbers], "facts": {}}
        (folder / "record.json").write_text(json.dumps(told))
        return store.publish(folder, own, SPEC.outputs, record)


def run_of(root: Path, *keys: str, ended: bool = True, days_ago: int = 0, state: str = "made") -> runs.Run:
    """A run that used these keys, under a name from some days ago."""
    run = runs.start(root, {"models": ["m"], "recipes": ["r"], "profile": "quick", "engine": "fake"})
    run.steps = {f"thing/{number}": {"state": state, "key": one, "reason": ""} for number, one in enumerate(keys)}
    run.ended = ended
    if days_ago:
        name = f"{20200101 + 100 - days_ago:08}" + run.id[8:]
        run.folder = run.folder.rename(run.folder.with_name(name))
        run.id = name
    run.save()
    moment = time.time() - days_ago * 86_400
    os.utime(run.folder / "run.json", (moment, moment))
    return run
