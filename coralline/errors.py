"""Everything that a user can do wrong or meet: one class and one exit code for each kind of trouble.

A message says what is wrong, the hint what to do. Bugs are not errors of this kind: they keep their traceback.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class CorallineError(Exception):
    """The root: `message` says what is wrong, `hint` what to do, `replay` is a command that repeats the failed step."""

    code: ClassVar[int] = 1
    meaning: ClassVar[str] = "a kind of trouble without a class of its own"

    def __init__(self, message: str, *, hint: str, replay: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.replay = replay


class ProfileError(CorallineError):
    """What the user wrote or gave is wrong."""

    code = 2
    meaning = "the request, the profile or the data is wrong; nothing was lost"


class NothingToDoError(CorallineError):
    """The selection is empty."""

    code = 3
    meaning = "the selection is empty"


class EngineError(CorallineError):
    """Docker, or what the local engine needs, is missing or refuses."""

    code = 4
    meaning = "an engine is missing, too old, or refuses"


class ImageError(CorallineError):
    """An image or environment cannot be built, or differs from its pin."""

    code = 5
    meaning = "an image or environment cannot be built, or differs from its pin"


class StageError(CorallineError):
    """A step ran and failed."""

    code = 6
    meaning = "a stage ran and failed"


class ArtifactError(CorallineError):
    """An artifact is missing, corrupt or fails its own checks."""

    code = 7
    meaning = "an artifact is missing, corrupt, or fails its own checks"


class DeviceError(CorallineError):
    """A device is missing, was lost, or is closed to this user."""

    code = 8
    meaning = "a device is missing, was lost, or is closed to this user"


class ParityError(CorallineError):
    """Results that should be equal are not."""

    code = 10
    meaning = "results disagree beyond the stated limits"


class UnverifiedError(CorallineError):
    """What was made cannot be made again here, so nothing can be said of it."""

    code = 11
    meaning = "an artifact to verify cannot be made again here: neither equal nor different"


INTERRUPTED = 130


def nearest(word: str, known: Iterable[str], kind: str) -> str:
    """Write a hint for an unknown `word`: the nearest known name, if any is near, and all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    return f"{guess}{kind}: {', '.join(names)}"
