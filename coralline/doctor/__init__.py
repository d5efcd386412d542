"""What this machine has and lacks for Coralline, each with what to do about it: `./run doctor`.

Reads and asks, changes nothing, and needs neither Docker, network nor a stick.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from coralline.doctor import devices, machine, makers, proof
from coralline.doctor.findings import LIMIT_S, Finding, Severity, ask, document, lines
from coralline.errors import DeviceError, EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coralline.engines.base import Engine

__all__ = ["Finding", "Severity", "document", "examine", "exit_code", "lines", "prove"]


def examine(where: machine.Machine, limit_s: float = LIMIT_S) -> list[Finding]:
    """Return findings on everything that a run may need."""
    questions = {
        "docker": makers.server,
        "docker.client": makers.client,
        "disk.artifacts": machine.disk,
        "memory": machine.memory,
        "python": machine.python,
        "locks": makers.locks,
        "certificates": machine.certificates,
        "clock": machine.clock,
        "compiler": makers.compiler,
        "gpu": devices.graphics,
        "stick": devices.sticks,
        "udev": devices.udev,
        "governor": machine.governor,
    }
    bound = {name: functools.partial(question, where) for name, question in questions.items()}
    return ask(bound, {"docker", "docker.client", "compiler"}, limit_s)


def prove(where: machine.Machine, limit_s: float = LIMIT_S) -> list[Finding]:
    """Return findings on the stick alone, from the bus to the runtime that opens it."""
    questions = {
        "stick": functools.partial(devices.sticks, where, demanded=True),
        "udev": functools.partial(devices.udev, where),
        "image": functools.partial(proof.image, where),
    }
    found = ask(questions, {"image"}, limit_s)
    return [*found, *proof.opening(found, functools.partial(_docker, where))]


def exit_code(findings: Sequence[Finding], *, proving: bool) -> int:
    """Return 0, unless something is an error: then the code of a missing device or of an engine that refuses."""
    if all(finding.severity is not Severity.ERROR for finding in findings):
        return 0
    return DeviceError.code if proving else EngineError.code


def _docker(where: machine.Machine) -> Engine:
    from coralline.engines import HOME
    from coralline.engines.docker import DockerEngine

    return DockerEngine(where.project, HOME)
