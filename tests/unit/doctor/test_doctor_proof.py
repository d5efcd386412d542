from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from bus import Bus
from machines import severities

from coralline.catalogue import PROJECT
from coralline.devices import lock
from coralline.doctor import proof
from coralline.doctor.findings import Finding, Severity, error, ok
from coralline.engines.base import Job, OnEvent, Outcome

if TYPE_CHECKING:
    import threading
    from pathlib import Path


class Stub:
    """An engine that answers a probe as told, and remembers the job."""

    def __init__(self, outcome: Outcome, facts: dict[str, Any] | None = None) -> None:
        self.outcome, self.facts = outcome, facts
        self.jobs: list[Job] = []

    def run(self, job: Job, _on_event: OnEvent, _cancelled: threading.Event) -> Outcome:
        self.jobs.append(job)
        job.log.write_text("what the library said\n")
        if self.facts is not None:
            (job.out / "record.json").write_text(json.dumps({"facts": self.facts}))
        return self.outcome


FACTS = {
    "edgetpu_runtime": "BuildLabel(X), RuntimeVersion(14)",
    "edgetpu_variant": "std",
    "stick": {"port": "2-1", "usb": 3, "speed_mbit_s": 5000},
}


def opened(tmp_path: Path, engine: Stub, before: list[Finding] | None = None, *, busy: bool = False) -> list[Finding]:
    bus = Bus(tmp_path / "root")
    bus.plug("2-1", "ready", 5)
    look = lambda: proof.edgetpu.usable(bus.root)  # noqa: E731

    def hold(*words: Any) -> Any:
        return lock.held(*words, look=look, place=tmp_path)

    def ask() -> list[Finding]:
        return list(proof.opening(before or [], lambda: engine, hold))  # type: ignore[arg-type,return-value]

    if busy:
        with hold("edgetpu", "benchmark/x", print, lambda: False):
            return ask()
    return ask()


def test_the_stick_is_opened_in_the_image_that_measures_and_is_held_meanwhile(tmp_path: Path) -> None:
    engine = Stub(Outcome(exit_code=0), FACTS)
    found = opened(tmp_path, engine)
    assert severities(found) == {"open": "ok"}
    assert "RuntimeVersion(14), libedgetpu std" in found[0].message
    (job,) = engine.jobs
    assert (job.image, job.stage, job.devices, job.stick) == (
        "benchmark-edgetpu",
        "benchmark.probe",
        ("edgetpu",),
        "2-1",
    )
    assert (PROJECT / "stages" / (job.stage.replace(".", "/") + ".py")).is_file()


def test_what_the_runtime_says_is_what_is_told(tmp_path: Path) -> None:
    said = {"event": "error", "message": "it cannot be opened", "remedy": "another cable"}
    assert opened(tmp_path, Stub(Outcome(exit_code=2, error=said))) == [
        error("open", "it cannot be opened", "another cable")
    ]
    crashed = opened(tmp_path, Stub(Outcome(exit_code=1)))
    assert severities(crashed) == {"open": "error"}
    assert "what the library said" in str(crashed[0].remedy)


def test_a_stick_in_use_is_not_opened(tmp_path: Path) -> None:
    engine = Stub(Outcome(exit_code=0), FACTS)
    found = opened(tmp_path, engine, busy=True)
    assert severities(found) == {"open": "error"}
    assert f"process {os.getpid()} of " in found[0].message
    assert engine.jobs == []


def test_nothing_is_opened_before_all_is_there(tmp_path: Path) -> None:
    engine = Stub(Outcome(exit_code=0), FACTS)
    found = opened(tmp_path, engine, [ok("stick", "there"), error("image", "not built", "build it")])
    assert found[0].message == "not tried: first mend image"
    assert found[0].severity is Severity.INFO
    assert engine.jobs == []
