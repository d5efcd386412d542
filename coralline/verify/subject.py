"""What is verified: a run with its artifacts, of the store or of a bundle, and its graph as this checkout draws it."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from coralline import graph
from coralline.bundle import foreign
from coralline.care.fsck import faults
from coralline.errors import NothingToDoError, ProfileError
from coralline.store import FILES
from coralline.verify.again import stage_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from coralline.graph import Step
    from coralline.request import Request
    from coralline.runs import Run
    from coralline.store import Artifact

FINISHED = ("made", "reused")
MOST_BYTES = 64 * 2**20  # of a document or table of an artifact, which is read as a whole
MOST_VALUES = 1_000_000
UNREADABLE = (*foreign.UNREADABLE, csv.Error, ProfileError)  # what reading a file of an artifact of others may end in


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """An artifact as it was made: its list of files, and whether the files themselves are here.

    `damage` names those that are not what the record says.
    """

    artifact: Artifact
    files: Mapping[str, Any] | None
    is_here: bool
    damage: tuple[str, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether a step can read it as its input."""
        return self.is_here and not self.damage


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A run, its originals by label, the steps to make again, and those that the run lacked, with the reason.

    `lost` are labels whose artifact is gone, `unknown` those that this checkout has no step for.
    """

    run: Run
    originals: Mapping[str, Original]
    steps: Mapping[str, Step]
    wanted: frozenset[str]
    absent: Mapping[str, str] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def listed(artifact: Artifact) -> Mapping[str, Any] | None:
    """Return an artifact's own list of files, path -> [sha256, size]; None where it cannot be read."""
    try:
        told = json.loads((artifact.path / FILES).read_bytes())
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def content(path: Path) -> bytes:
    """Return a file of an artifact, which somebody else may have made.

    Raises:
        ValueError: it is larger than any that a stage writes.
    """
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path.name} is too large")
    return path.read_bytes()


def document(path: Path) -> Any:
    """Return what a JSON file of an artifact says, which somebody else may have made.

    Raises:
        ValueError: it is no JSON, or larger or deeper than any that a stage writes.
    """
    told = content(path)
    if foreign.count(told) > MOST_VALUES:
        raise ValueError(f"{path.name} holds too much")
    return foreign.parse(told)


def is_copy(one: Artifact, other: Artifact) -> bool:
    """Whether two artifacts are of one making: one came from the other's store, in a bundle."""
    return all(one.record.get(name) == other.record.get(name) for name in ("run", "started", "seconds"))


def originals_of(
    run: Run,
    find: Callable[[str], Artifact | None],
    progress: Callable[[int, int], None],
    list_files: Callable[[Artifact], Mapping[str, Any] | None] = listed,
) -> tuple[dict[str, Original], tuple[str, ...]]:
    """Find the artifacts of a run and look at each byte of them; also return the labels of those that are gone.

    `list_files` gives the list of an artifact's files, which a bundle has also of files that it lacks.
    """
    keys = {label: told["key"] for label, told in run.steps.items() if told.get("state") in FINISHED}
    found: dict[str, Original] = {}
    for done, (label, known) in enumerate(keys.items(), start=1):
        artifact = find(known)
        if artifact is not None:
            found[label] = original_of(artifact, list_files(artifact))
        progress(done, len(keys))
    return found, tuple(label for label in keys if label not in found)


def original_of(artifact: Artifact, files: Mapping[str, Any] | None) -> Original:
    """Look at an artifact, byte for byte."""
    is_here = artifact.path.is_dir()
    damage = tuple(faults(artifact.path)) if is_here else ()
    return Original(artifact=artifact, files=files, is_here=is_here, damage=damage)


def subject_of(
    run: Run, request: Request, originals: Mapping[str, Original], lost: tuple[str, ...], only: str | None
) -> Subject:
    """Draw the graph of a run as it was: its own steps, each reading what it read then.

    Raises:
        NothingToDoError: the run has no artifact of the wanted stage.
        ProfileError: a step needs data of the user's, which must be named again.
    """
    drawn = graph.draw(request)
    absent = {label: reason for one in originals.values() for label, reason in _missing(one).items()}
    labels = originals.keys() | absent.keys() | set(lost)
    steps = {label: _within(step, labels) for label, step in drawn.items() if label in labels}
    known = [label for label in run.steps if label in originals]
    wanted = frozenset(label for label in known if only is None or _stage(originals[label]) == only)
    if not wanted:
        raise nothing_of(run, only)
    _check_externals(run, originals, wanted, request)
    return Subject(
        run=run,
        originals=originals,
        steps=_needed(steps, wanted),
        wanted=wanted & steps.keys(),
        absent=absent,
        lost=tuple(label for label in lost if only is None or stage_of(label) == only),
        unknown=tuple(label for label in known if label in wanted and label not in steps),
    )


def nothing_of(run: Run, only: str | None) -> NothingToDoError:
    """Say that a run has nothing to verify: to end well would tell that all of it was equal."""
    of_stage = "" if only is None else f" of the stage {only}"
    return NothingToDoError(f"run {run.id} has no artifact{of_stage}", hint="./run runs lists the runs")


def _missing(original: Original) -> dict[str, str]:
    told: dict[str, str] = original.artifact.record["key_parts"]["missing"]
    return told


def _stage(original: Original) -> str:
    return str(original.artifact.record["stage"])


def _within(step: Step, labels: set[str]) -> Step:
    """Leave out what a step of today would gather beside what the run had."""
    return replace(step, gathered={name: label for name, label in step.gathered.items() if label in labels})


def _needed(steps: Mapping[str, Step], wanted: frozenset[str]) -> dict[str, Step]:
    """Keep the wanted steps and all that they read from."""
    kept: set[str] = set(wanted)
    for label in reversed(list(steps)):
        if label in kept:
            kept.update(steps[label].needs)
    return {label: step for label, step in steps.items() if label in kept}


def _check_externals(run: Run, originals: Mapping[str, Original], wanted: frozenset[str], request: Request) -> None:
    """Refuse to begin without data of the user's: no record says where it lies."""
    for name in run.request.get("externals", ()):
        if name not in request.externals and any(_reads(originals[label], name) for label in wanted):
            raise ProfileError(
                f"run {run.id} was made from data of yours, of which no record says where it lies",
                hint=f"name it again: --{name} PATH; its digest is compared with the recorded one",
            )


def _reads(original: Original, external: str) -> bool:
    """Whether a step reads data of the user's by this name, be it keyed there or in the data set's step."""
    from coralline import catalogue

    spec = catalogue.specs().get(_stage(original))
    variants = () if spec is None else spec.variants
    return any(i.external == external for variant in variants for i in variant.inputs.values())
