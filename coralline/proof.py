"""A file changed for the compiler reaches its place only with the proof, or a word on why none could be had.

The proof runs both files on the reference kernels of the convert image (`stages/parity/prove.py`): a step outside any
run, in a folder of its own that is gone afterwards.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline import question
from coralline.catalogue import PROJECT
from coralline.engines.base import Job
from coralline.errors import CorallineError, ParityError, ProfileError, StageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from coralline.engines.base import Engine

IMAGE = "convert"
MEMORY_BYTES = 8 << 30
SEED, INPUTS = 1, 16  # random inputs; the lowest and the highest value of each type come on top
SAME_BYTES = "nothing was changed: the bytes are the same"


def fix(
    file: Path, out: Path, *, softmax_on_host: bool, engine: Callable[[], Engine]
) -> tuple[dict[str, Any], CorallineError | None]:
    """Write the changed file to `out`; return the judgement on it with its `proof`, and why there is none, if so.

    `engine` gives an engine that has the convert image, or raises what is in the way.

    Raises:
        ProfileError: the file is no TFLite file, cannot be changed so, or `out` is no place to write to.
        ParityError: the changed file does not compute what the original does; it is not written.
    """
    _check_place(file, out)
    with tempfile.TemporaryDirectory(prefix="coralline-fix-") as folder:
        changed = Path(folder, "fixed.tflite")
        words = ["--fixed", str(changed), *(["--softmax-on-host"] if softmax_on_host else [])]
        told = question.ask("check", file, *words)
        job = _job(file, changed, Path(folder), softmax_on_host=softmax_on_host)
        proof, trouble = _proof(told["changes"], job, engine)
        if proof["equal"] is False:
            raise ParityError(
                f"{file.name}: the changed file does not compute what the original does: {proof['reason']}",
                hint=f"{out} was not written; please report this with the file",
            )
        _put(changed.read_bytes(), out)
    return {**told, "fixed": str(out), "proof": proof}, trouble


def _proof(changes: list[Any], job: Job, engine: Callable[[], Engine]) -> tuple[dict[str, Any], CorallineError | None]:
    if not changes:
        return {"equal": True, "inputs": 0, "reason": SAME_BYTES}, None
    try:
        return _run(engine(), job), None
    except CorallineError as error:
        return {"equal": None, "inputs": 0, "reason": error.message}, error


def _run(engine: Engine, job: Job) -> dict[str, Any]:
    outcome = engine.run(job, lambda _event: None, threading.Event())
    if outcome.exit_code == 0:
        proof: dict[str, Any] = json.loads((job.out / "proof.json").read_text(encoding="utf-8"))
        return proof
    if outcome.error is not None:
        raise ProfileError(str(outcome.error.get("message")), hint=str(outcome.error.get("remedy")))
    lines = job.log.read_text(encoding="utf-8", errors="replace").splitlines() if job.log.is_file() else []
    what = outcome.reason or f"exit code {outcome.exit_code}"
    raise StageError(f"the proof failed: {what}", hint="\n".join(["the end of its log:", *lines[-5:]]))


def _job(file: Path, changed: Path, folder: Path, *, softmax_on_host: bool) -> Job:
    out = folder / "out"
    out.mkdir()
    return Job(
        label="proof",
        stage="parity.prove",
        code=PROJECT,
        image=IMAGE,
        parameters={"softmax_on_host": softmax_on_host, "seed": SEED, "inputs": INPUTS},
        threads=1,
        inputs={"original": file.resolve(), "fixed": changed},
        out=out,
        log=folder / "proof.log",
        memory_bytes=MEMORY_BYTES,
        run_id="proof",
        key="proof",
    )


def _check_place(file: Path, out: Path) -> None:
    if out.is_dir() or not out.parent.is_dir():
        raise ProfileError(f"--fix: {str(out)!r} cannot be written", hint="give the path of a file in a folder")
    if file.exists() and out.exists() and file.samefile(out):
        raise ProfileError("--fix would overwrite the file itself", hint="give another path")


def _put(content: bytes, out: Path) -> None:
    """Write all of the file or nothing."""
    beside = out.with_name(f"{out.name}.{os.getpid()}")
    try:
        with beside.open("xb") as file:  # a link that waits under this name is not followed
            file.write(content)
        beside.replace(out)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ProfileError(
            f"{out} cannot be written: {error.strerror}", hint="give a path that you may write"
        ) from error
