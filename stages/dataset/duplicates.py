"""Finds images that occur twice where they must not: in two splits, or in two classes. Compares bytes, not pixels."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Callable, Dict, List, Sequence, Set

if TYPE_CHECKING:
    from stages.dataset.index import Entry


def leaks(entries: Sequence[Entry]) -> List[str]:
    """Name each image that is in more than one split, with its first copy: `test/a/1.png = train/a/7.png`."""
    return _twice(entries, lambda entry: entry.split)


def contradictions(entries: Sequence[Entry]) -> List[str]:
    """Name each image that is in more than one class, with its first copy."""
    return _twice(entries, lambda entry: entry.name)


def _twice(entries: Sequence[Entry], aspect: Callable[[Entry], str]) -> List[str]:
    """One line for each content whose copies differ in `aspect`."""
    copies: Dict[str, List[Entry]] = defaultdict(list)
    for entry in sorted(entries):
        copies[entry.sha256].append(entry)
    lines = []
    for same in copies.values():
        seen: Set[str] = {aspect(entry) for entry in same}
        if len(seen) > 1:
            other = next(entry for entry in same if aspect(entry) != aspect(same[0]))
            lines.append("%s = %s" % (same[0].path, other.path))
    return sorted(lines)
