from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest
from machines import severities

from coralline import doctor
from coralline.doctor import findings
from coralline.doctor.findings import Finding, error, ok, warning
from coralline.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_what_hangs_is_left_behind_and_named() -> None:
    over = threading.Event()
    started = time.monotonic()
    found = findings.ask({"far": lambda: over.wait(60) and [], "near": lambda: [ok("near", "here")]}, {"far"}, 0.1)
    assert time.monotonic() - started < 5
    assert [(finding.id, str(finding.severity)) for finding in found] == [("far", "warning"), ("near", "ok")]
    assert found[0].message == "no answer within 0.1 s"
    over.set()


def test_what_is_near_is_waited_for_however_slow_the_disk_is() -> None:
    def slow() -> Iterator[Finding]:
        time.sleep(0.2)
        yield ok("slow", "done")

    assert severities(findings.ask({"slow": slow}, (), 0.01)) == {"slow": "ok"}


def test_an_error_of_ours_is_a_finding_and_a_bug_is_a_bug() -> None:
    def refuse() -> Iterator[Finding]:
        raise EngineError("no daemon", hint="start it")
        yield

    for outside in ((), {"docker"}):
        assert findings.ask({"docker": refuse}, outside) == [error("docker", "no daemon", "start it")]
        with pytest.raises(ZeroDivisionError):
            findings.ask({"docker": lambda: [ok("x", str(1 // 0))]}, outside)


@pytest.mark.parametrize(
    ("found", "everything", "stick"),
    [([ok("a", "b")], 0, 0), ([warning("a", "b", "c")], 0, 0), ([ok("a", "b"), error("c", "d", "e")], 4, 8)],
)
def test_only_errors_end_with_an_exit_code(found: list[Finding], everything: int, stick: int) -> None:
    assert doctor.exit_code(found, proving=False) == everything
    assert doctor.exit_code(found, proving=True) == stick


def test_the_document_is_plain_values() -> None:
    found = [ok("python", "3.11"), warning("memory", "little", "more")]
    assert json.loads(json.dumps(doctor.document(found))) == {
        "schema": "coralline.doctor",
        "version": 1,
        "findings": [
            {"id": "python", "severity": "ok", "message": "3.11", "remedy": None},
            {"id": "memory", "severity": "warning", "message": "little", "remedy": "more"},
        ],
    }
    assert list(doctor.lines(found))[-1].strip() == "more"
