"""The tasks that care for the store: list, mark and compare runs, free what no run needs, check every byte."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from coralline import catalogue, console, runs
from coralline.console import storeanswers
from coralline.console.ending import guarded, print_json
from coralline.errors import ArtifactError, ProfileError
from coralline.notices import Kind, Notice
from coralline.store import Store, uses

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coralline.care.collect import Limits

DAYS = 30  # how long runs stay unless something else is asked for
SECONDS = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
BYTES = {unit: 1024**power for power, unit in enumerate("KMGT", start=1)}


def show_runs(*, as_json: bool) -> None:
    """Print every run, the newest first."""
    with guarded():
        claimed = uses.claimed(catalogue.artifacts())
        told = [storeanswers.described(run, claimed) for run in runs.every(catalogue.artifacts())]
        if as_json:
            print_json({"schema": "coralline.runs", "version": 1, "runs": told})
        elif not told:
            print("there is no run yet")
        else:
            storeanswers.show_runs(told)


def keep_run(name: str, *, undo: bool) -> None:
    """Mark a run so that it is never collected, with all that it used; with `undo` take the mark away."""
    with guarded():
        root = catalogue.artifacts()
        with uses.gate(root, alone=False):  # who collects sees all marks, and has not taken the run in between
            run = runs.load(root, name)
            run.keep(wanted=not undo)
        print(f"run {run.id} {'may be collected like any other' if undo else 'is kept, with all that it used'}")


def collect(*, older_than: str | None, size: str | None, delete: bool, as_json: bool) -> None:
    """Print what can be freed; with `delete` free it."""
    from coralline.care import collect as collecting

    with guarded():
        limits, root = _limits(older_than, size), catalogue.artifacts()
        with _watched() as watcher:
            found = collecting.survey(root, limits, lambda done, total: watcher.notify(_measuring(done, total)))
            removed = collecting.remove(root, found, watcher.notify) if delete else None
        if as_json:
            print_json(storeanswers.collected(found, removed))
        else:
            storeanswers.show_collected(found, removed, limits)


def check_store(*, as_json: bool) -> None:
    """Recompute all digests; print what was corrupt and what depended on it, and end with its exit code."""
    from coralline.care import fsck

    with guarded():
        with _watched() as watcher:
            found = fsck.examine(Store(catalogue.artifacts()), watcher.notify)
        if as_json:
            print_json(storeanswers.examined(found))
        else:
            storeanswers.show_examined(found)
        if not found.is_whole:
            raise SystemExit(ArtifactError.code)


def compare_runs(left: str, right: str, *, as_json: bool) -> None:
    """Print what differs between two runs."""
    from coralline.care.compare import compare

    with guarded():
        root = catalogue.artifacts()
        one, other = runs.load(root, left), runs.load(root, right)
        told = compare(Store(root), one, other)
        if as_json:
            print_json(storeanswers.compared(one.id, other.id, told))
        else:
            storeanswers.show_compared(one.id, other.id, told)


def _limits(older_than: str | None, size: str | None) -> Limits:
    from coralline.care.collect import Limits

    usual = 0 if size else DAYS * SECONDS["d"]  # who gives a size wants it reached
    seconds = _amount("--older-than", older_than, SECONDS, "30d, 12h or 2w") if older_than else usual
    return Limits(older_than_s=seconds, size_bytes=_amount("--size", size, BYTES, "20G or 500M") if size else None)


def _amount(option: str, word: str, units: Mapping[str, int], example: str) -> int:
    found = re.fullmatch(rf"(\d{{1,9}}) ?([{''.join(units)}])", word)
    if found is None:
        raise ProfileError(
            f"{option} {word!r} is not possible", hint=f"expected a number with its unit, such as {example}"
        )
    return int(found[1]) * units[found[2]]


@contextmanager
def _watched() -> Iterator[console.Watcher]:
    watcher = console.watcher()
    try:
        yield watcher
    finally:
        watcher.close()


def _measuring(done: int, total: int) -> Notice:
    return Notice(kind=Kind.PROGRESS, label="gc", text="measuring", done=done, total=total, unit="folder")
