"""What can be said of an artifact that was made again: one word, why, and the level of the promise it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from coralline.errors import ArtifactError, ParityError, UnverifiedError
from coralline.verify.levels import level_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coralline.errors import CorallineError


class Word(StrEnum):
    """The verdicts, from the best to the worst."""

    IDENTICAL = "identical"
    NORMALISED = "identical after normalisation"
    STATISTICAL = "statistically equal"
    UNVERIFIED = "not verified"
    DIFFERENT = "different"
    CORRUPTED = "corrupted"


EXIT_CODES = {
    Word.UNVERIFIED: UnverifiedError.code,
    Word.DIFFERENT: ParityError.code,
    Word.CORRUPTED: ArtifactError.code,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The first input that differs: its `kind` (parameter, input, code, image, processor, ...), and it in words."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A number of the original beside that of the rebuilt artifact, which is equal when it lies in [`low`, `high`]."""

    name: str
    original: float
    rebuilt: float
    low: float
    high: float
    unit: str
    rule: str

    @property
    def holds(self) -> bool:
        """Whether the rebuilt number lies in the accepted interval."""
        return self.low <= self.rebuilt <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one artifact; `files` are those that differ, `remarks` say what else one should know."""

    label: str
    stage: str
    word: Word
    cause: Cause | None = None
    files: tuple[str, ...] = ()
    intervals: tuple[Interval, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def level(self) -> str:
        """Which level of the promise this verdict proves, or which one is broken."""
        return level_of(self.stage, statistical=self.word is Word.STATISTICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """All verdicts on a run; `kept` is where what differs, or the log of what failed, is kept. `errors` are in full."""

    run: str
    against: str | None
    verdicts: tuple[Verdict, ...] = field(default=())
    kept: str | None = None
    errors: tuple[CorallineError, ...] = ()

    @property
    def exit_code(self) -> int:
        """Return the exit code of the worst verdict, 0 when all are equal."""
        return EXIT_CODES.get(worst(verdict.word for verdict in self.verdicts), 0)

    def document(self) -> dict[str, Any]:
        """Return it as plain values, for `--json`."""
        return {
            "schema": "coralline.verification",
            "version": 1,
            "run": self.run,
            "against": self.against,
            "worst": str(worst(verdict.word for verdict in self.verdicts)),
            "exit_code": self.exit_code,
            "kept": self.kept,
            "verdicts": [_plain(verdict) for verdict in self.verdicts],
        }


def worst(words: Iterable[Word]) -> Word:
    """Return the worst of several words; of none, the best."""
    order = list(Word)
    return max(words, key=order.index, default=Word.IDENTICAL)


def _plain(verdict: Verdict) -> dict[str, Any]:
    return {
        "step": verdict.label,
        "verdict": str(verdict.word),
        "level": verdict.level,
        "first_difference": None if verdict.cause is None else {"kind": verdict.cause.kind, "text": verdict.cause.text},
        "files": list(verdict.files),
        "intervals": [_interval(one) for one in verdict.intervals],
        "remarks": list(verdict.remarks),
    }


def _interval(one: Interval) -> dict[str, Any]:
    return {
        "name": one.name,
        "original": one.original,
        "rebuilt": one.rebuilt,
        "accepted": [one.low, one.high],
        "unit": one.unit,
        "rule": one.rule,
        "holds": one.holds,
    }
