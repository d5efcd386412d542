"""What changed in locks, for people, for a change's text and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from coralline.images.locks import Refreshed


def lines(done: Iterable[Refreshed]) -> list[str]:
    """Write one line for each package that changed, and one for each lock in which none did."""
    return [line for lock in done for line in lock.lines()]


def markdown(done: Iterable[Refreshed]) -> Iterator[str]:
    """Write a table of all that changed."""
    changed = [lock for lock in done if lock.changed or lock.note]
    if not changed:
        yield "Nothing changed."
        return
    yield "| lock | package | before | after |"
    yield "|---|---|---|---|"
    for lock in changed:
        for change in lock.changes:
            yield f"| {lock.name} | {change.package} | {change.before} | {change.after} |"
        if lock.note or not lock.changes:
            yield f"| {lock.name} | {lock.note or 'hashes or order only'} | | |"


def document(done: Iterable[Refreshed], project: Path) -> dict[str, Any]:
    """Return it all as one object."""
    listed = [
        {
            "name": lock.name,
            "path": lock.path.relative_to(project).as_posix(),
            "changed": lock.changed,
            "changes": [
                {"package": change.package, "before": change.before or None, "after": change.after or None}
                for change in lock.changes
            ],
            "note": lock.note or None,
        }
        for lock in done
    ]
    return {"schema": "coralline.locks", "version": 1, "locks": listed}
