"""`./run doctor --edgetpu`: step by step from the bus to a stick that is open, in the image that measures on it."""

from __future__ import annotations

import json
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline.catalogue import PROJECT
from coralline.devices import edgetpu, lock
from coralline.doctor.findings import Finding, Severity, error, info, ok
from coralline.engines import HOME
from coralline.engines.base import Job
from coralline.images import Images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from coralline.doctor.machine import Machine
    from coralline.engines.base import Engine

IMAGE = "benchmark-edgetpu"
OPEN_LIMIT_S = 60.0  # container, libraries, and twice the time that a stick may take for its firmware
MEMORY_BYTES = 1 << 30


def image(machine: Machine) -> Iterator[Finding]:
    """Say whether the image with the vendor's runtime is there."""
    images = Images(machine.project, HOME / "images")
    found = images.find(IMAGE)
    if found is not None:
        yield ok("image", f"the image {IMAGE}: {found[:19]}")
        return
    why = images.unavailable(IMAGE)
    said = f"the image {IMAGE} is not built" + (f": {why}" if why else "")
    yield error("image", said, f"./run image.build {IMAGE}")


def opening(before: Iterable[Finding], engine: Callable[[], Engine], hold: lock.Hold = lock.held) -> Iterator[Finding]:
    """Open the stick in the image and say what the runtime says; only when all `before` is well."""
    lacking = [finding.id for finding in before if finding.severity is Severity.ERROR]
    if lacking:
        yield info("open", f"not tried: first mend {', '.join(dict.fromkeys(lacking))}")
        return
    once, said = iter([False]), list[str]()
    with hold("edgetpu", "./run doctor", said.append, lambda: next(once, True)) as held:
        if held is None:
            yield error("open", f"not tried: {' '.join(said)}", "wait until it ends, or end it")
        else:
            yield _opened(engine(), held.stick)


def _opened(engine: Engine, port: str) -> Finding:
    with tempfile.TemporaryDirectory(prefix="coralline-doctor-") as folder:
        job, cancelled = _job(Path(folder), port), threading.Event()
        timer = threading.Timer(OPEN_LIMIT_S, cancelled.set)
        timer.daemon = True
        timer.start()
        outcome = engine.run(job, lambda _event: None, cancelled)
        timer.cancel()
        if outcome.exit_code == 0 and not cancelled.is_set():
            return ok("open", _described(json.loads((job.out / "record.json").read_text(encoding="utf-8"))["facts"]))
        if outcome.error is not None:
            return error("open", str(outcome.error.get("message")), str(outcome.error.get("remedy")))
        said = f"no answer within {OPEN_LIMIT_S:g} s" if cancelled.is_set() else f"exit code {outcome.exit_code}"
        log = job.log.read_text(encoding="utf-8", errors="replace").splitlines() if job.log.is_file() else []
        return error("open", f"the runtime did not open the stick: {said}", "\n".join([edgetpu.RESET, *log[-5:]]))


def _job(folder: Path, port: str) -> Job:
    out = folder / "out"
    out.mkdir()
    return Job(
        label="doctor",
        stage="benchmark.probe",
        code=PROJECT,
        image=IMAGE,
        parameters={},
        threads=1,
        inputs={},
        out=out,
        log=folder / "doctor.log",
        memory_bytes=MEMORY_BYTES,
        devices=("edgetpu",),
        stick=port,
        run_id="doctor",
        key="doctor",
    )


def _described(facts: dict[str, Any]) -> str:
    stick, variant = facts["stick"], facts["edgetpu_variant"] or "of unknown variant"
    return (
        f"opened the stick at port {stick['port']} (USB {stick['usb']}, {stick['speed_mbit_s']:g} Mbit/s): "
        f"{facts['edgetpu_runtime']}, libedgetpu {variant}"
    )
