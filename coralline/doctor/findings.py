"""What the doctor finds: one finding a question; what may hang is asked side by side, no longer than a limit."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from coralline.errors import CorallineError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    Question = Callable[[], Iterable["Finding"]]
    Questions = Mapping[str, Question]
    Answer = list["Finding"] | BaseException

LIMIT_S = 1.5  # long enough for a server on the other side of the world, short enough to wait for


class Severity(StrEnum):
    """`warning`: something will not be made here, or not as well; `error`: what was asked for cannot be made at all."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One answer; `remedy` says what to do where something is to be done."""

    id: str
    severity: Severity
    message: str
    remedy: str | None = None


def ok(name: str, message: str) -> Finding:
    """Return what is as it should be."""
    return Finding(id=name, severity=Severity.OK, message=message)


def info(name: str, message: str, remedy: str | None = None) -> Finding:
    """Return what is worth knowing and nothing to worry about."""
    return Finding(id=name, severity=Severity.INFO, message=message, remedy=remedy)


def warning(name: str, message: str, remedy: str) -> Finding:
    """Return what limits what can be made here."""
    return Finding(id=name, severity=Severity.WARNING, message=message, remedy=remedy)


def error(name: str, message: str, remedy: str) -> Finding:
    """Return what must be mended first."""
    return Finding(id=name, severity=Severity.ERROR, message=message, remedy=remedy)


def ask(questions: Questions, outside: Container[str] = (), limit_s: float = LIMIT_S) -> list[Finding]:
    """Ask all questions and return the findings in their order.

    Those `outside` this process (daemons, servers) are asked side by side and not waited for beyond the limit; one
    that hangs is left behind and named. A `CorallineError` is a finding; any other exception is a bug and raised.
    """
    answers: dict[str, Answer] = {}
    # Daemon threads: one that waits for a name server must not keep the program from ending.
    threads = [
        threading.Thread(target=_answer, args=(name, question, answers), daemon=True)
        for name, question in questions.items()
        if name in outside
    ]
    deadline = time.monotonic() + limit_s
    for thread in threads:
        thread.start()
    for name, question in questions.items():
        if name not in outside:
            _answer(name, question, answers)
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [finding for name in questions for finding in _answered(name, answers.get(name), limit_s)]


def _answer(name: str, question: Question, answers: dict[str, Answer]) -> None:
    try:
        answers[name] = list(question())
    except CorallineError as trouble:
        answers[name] = [error(name, trouble.message, trouble.hint)]
    except BaseException as bug:  # noqa: BLE001 - raised by the asking thread
        answers[name] = bug


def _answered(name: str, answer: Answer | None, limit_s: float) -> list[Finding]:
    if isinstance(answer, BaseException):
        raise answer
    late = warning(name, f"no answer within {limit_s:g} s", "ask again; when it stays so, something there hangs")
    return [late] if answer is None else answer


def document(findings: Iterable[Finding]) -> dict[str, Any]:
    """Return the findings as plain values, for `--json`."""
    return {
        "schema": "coralline.doctor",
        "version": 1,
        "findings": [asdict(finding) | {"severity": str(finding.severity)} for finding in findings],
    }


def lines(findings: Iterable[Finding]) -> Iterable[str]:
    """Yield what to print: a line for each finding, its remedy below it."""
    for finding in findings:
        yield f"{finding.severity!s:8} {finding.id:18} {finding.message}"
        for line in (finding.remedy or "").splitlines():
            yield f"{'':28}{line}"
