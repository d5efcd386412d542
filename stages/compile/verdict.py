"""Whether a run of the compiler was a success, in all respects, and which exception says that it was not.

Exit code 0, the compiler's own words and the Edge TPU's operator in the file: the compiler has been seen to give each
without the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

from stages.contract import InputError
from stages.edgetpu.compiled.operator import CUSTOM_CODE
from stages.edgetpu.failures import Failure, catalogue, named
from stages.edgetpu.log.document import describe
from stages.edgetpu.log.lines import clean_lines
from stages.edgetpu.log.reader import read_log
from stages.tflite.flat import MalformedFile
from stages.tflite.model import Model, operator_counts, read_model

if TYPE_CHECKING:
    from stages.compile.driver import Outcome


class CompilerError(RuntimeError):
    """The compiler failed and the model is not known to be the reason."""


@dataclass(frozen=True)
class Attempt:
    """One run of the compiler: what it was told, how it ended, and what it made if `failure` is None."""

    options: Sequence[str]
    code: Optional[int]
    document: Dict[str, Any]
    failure: Optional[Failure]
    content: bytes
    model: Optional[Model]

    @property
    def outcome(self) -> str:
        """In a word: `compiled`, or the kind of failure."""
        return self.failure.kind if self.failure else "compiled"

    def told(self) -> Dict[str, Any]:
        """Describe it for `compile.json`; `tries` counts what a search tried."""
        return {
            "options": list(self.options),
            "exit_code": self.code,
            "outcome": self.outcome,
            "message": self.failure.message if self.failure else None,
            "tries": len(self.document["attempts"]),
        }


def judge(options: Sequence[str], outcome: Outcome) -> Attempt:
    """Judge one run by all that it left."""
    document = describe(read_log(clean_lines(outcome.log)))
    content = _content(outcome)
    model = _model(content)
    return Attempt(options, outcome.code, document, _failure(outcome.code, document, model), content, model)


def error(attempts: List[Attempt]) -> Exception:
    """Make the exception for attempts of which the last failed: `InputError` where the model is the reason."""
    last = attempts[-1]
    failure = last.failure or named("unknown")
    times = "" if len(attempts) == 1 else " (the last of %d attempts)" % len(attempts)
    if failure.kind == "nothing-mapped":
        return InputError("the Edge TPU compiler mapped no operator of the model" + times, failure.advice)
    if catalogue()[failure.kind].blame == "model":
        return InputError("the Edge TPU compiler refuses the model%s: %s" % (times, failure.message), failure.advice)
    ended = "ended with exit code %s%s" % (last.code, times)
    return CompilerError("the Edge TPU compiler %s: %s; %s" % (ended, failure.message, failure.advice))


def _failure(code: Optional[int], document: Dict[str, Any], model: Optional[Model]) -> Optional[Failure]:
    if code is None:
        return named("timeout", "the compiler was ended after its time limit")
    if document["failure"]:
        return Failure(**document["failure"])
    if code != 0:
        return named("exit-code", "it reported success with exit code %d" % code)
    if model is None:
        return named("no-output", "it reported success but wrote no TFLite file")
    if not any(entry["name"] == CUSTOM_CODE for entry in operator_counts(model)):
        return named("nothing-mapped")
    return None


def _content(outcome: Outcome) -> bytes:
    try:
        return outcome.output.read_bytes()
    except FileNotFoundError:
        return b""


def _model(content: bytes) -> Optional[Model]:
    try:
        return read_model(content)
    except MalformedFile:
        return None
