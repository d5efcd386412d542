"""A recorded request becomes a request again, whichever document it comes from: everything in it is checked anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coralline import catalogue, parameters
from coralline.errors import ProfileError, nearest
from coralline.request import Request
from coralline.request.names import find_parameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from coralline.runs import Run
    from stages.spec import Value


def request_of(run: Run, externals: Mapping[str, Path]) -> Request:
    """Return the request of a run; `externals` are the user's own data, of which a run records no place.

    All that could be drawn is drawn, also what only a GPU makes and what only a request for itself has: which of it the
    run has is known from its steps.

    Raises:
        ProfileError: this checkout cannot make it, or it is no request.
    """
    told = run.request
    try:
        return Request(
            models=tuple(dict.fromkeys(_known(told["models"], catalogue.models(), "model"))),
            recipes=tuple(dict.fromkeys(_known(told["recipes"], catalogue.recipes(), "recipe"))),
            profile=str(told["profile"]),
            values=dict(_values(told["values"])),
            swept=dict(_swept(told.get("swept", {}))),
            externals=externals,
            again_from=_asked(run.steps),
            gpus=True,
        )
    except ProfileError as error:
        raise ProfileError(f"run {run.id} cannot be made again here: {error.message}", hint=error.hint) from error
    except (LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ProfileError(
            f"run {run.id} does not say what was asked for", hint="it was made by another version; make the run again"
        ) from error


def _known(words: Iterable[Any], known: Iterable[str], kind: str) -> Iterator[str]:
    for word in words:
        if word not in known:
            raise ProfileError(f"no such {kind} {word!r}", hint=nearest(str(word), known, f"{kind}s"))
        yield word


def _values(told: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    for dotted, value in told.items():
        yield dotted, parameters.checked(find_parameter(dotted, "the recorded request"), value, dotted)


def _swept(told: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Value, ...]]]:
    for dotted, several in told.items():
        yield dotted, tuple(value for one in several for _, value in _values({dotted: one}))


def stage_of(label: str) -> str:
    """Return the stage that a label begins with."""
    return label.partition("@")[0].partition("/")[0]


def _asked(labels: Iterable[str]) -> str | None:
    """Find the stage of a run that is drawn only when it is asked for."""
    stages = {stage_of(label) for label in labels}
    return next((name for name, spec in catalogue.specs().items() if spec.asked and name in stages), None)
