"""Two artifacts that are not the same bytes, file by file: what the table lets differ, and what it does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coralline.verify import latency, normal, proportions
from coralline.verify.normal import Way
from coralline.verify.subject import UNREADABLE, listed
from coralline.verify.verdict import Word

if TYPE_CHECKING:
    from coralline.store import Artifact
    from coralline.verify.subject import Original
    from coralline.verify.verdict import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a comparison found; `files` are those that differ, or those that must not where some do."""

    word: Word
    files: tuple[str, ...]
    intervals: tuple[Interval, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(slots=True)
class _Finding:
    """What the files say one after the other."""

    wrong: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def compare(stage: str, original: Original, rebuilt: Artifact, *, elsewhere: bool) -> Result:
    """Compare two artifacts of a stage; `elsewhere` says that they were made in places that may round differently."""
    names = _differing(original, rebuilt)
    finding = _Finding()
    rules = {name: normal.rule_of(stage, name) for name in names}
    ways = {rule.way for rule in rules.values() if rule is not None}
    try:
        if Way.LATENCY in ways:
            _compare_latency(finding, original, rebuilt)
        if Way.PREDICTIONS in ways and elsewhere:
            _compare_predictions(finding, original, rebuilt)
    except UNREADABLE as error:  # what cannot be read is not shown to be the same
        finding.undecided.append(f"the numbers of one of the two cannot be read: {error}")
    for name, rule in rules.items():
        if rule is None or (rule.way is Way.PREDICTIONS and not elsewhere) or not _is_in_both(name, original, rebuilt):
            finding.wrong.append(name)
        elif rule.way not in (Way.LATENCY, Way.PREDICTIONS):
            _compare_file(finding, rule, original, rebuilt)
    return _result(names, finding)


def _differing(original: Original, rebuilt: Artifact) -> list[str]:
    then, now = original.files or {}, listed(rebuilt) or {}
    return sorted(path for path in then.keys() | now.keys() if then.get(path) != now.get(path))


def _is_in_both(name: str, original: Original, rebuilt: Artifact) -> bool:
    return name in (original.files or {}) and (rebuilt.path / name).is_file()


def _compare_latency(finding: _Finding, original: Original, rebuilt: Artifact) -> None:
    then, now = original.artifact.record["key_parts"]["host"], rebuilt.record["key_parts"]["host"]
    if then != now:
        finding.remarks.append("latencies of two machines are not compared")
        return
    found = latency.compare(original.artifact, rebuilt)
    finding.intervals += found
    if not found:
        finding.undecided.append("the latencies themselves are not here")


def _compare_predictions(finding: _Finding, original: Original, rebuilt: Artifact) -> None:
    then, now = proportions.counts(original.artifact), proportions.counts(rebuilt)
    found = proportions.compare(then, now)
    finding.intervals += found
    if not found:
        finding.undecided.append("the predictions themselves are not here")
    elif not proportions.could_differ(then, now):
        finding.undecided.append("of so few images every share counts as equal")


def _compare_file(finding: _Finding, rule: normal.Rule, original: Original, rebuilt: Artifact) -> None:
    if not original.is_here:
        finding.undecided.append(f"{rule.path} itself is not here, only its digest: bundle it with --artifacts")
        return
    try:
        is_equal = normal.is_equal(rule, original.artifact.path / rule.path, rebuilt.path / rule.path)
    except UNREADABLE:
        is_equal = False  # what cannot be read is not shown to be the same
    (finding.remarks if is_equal else finding.wrong).append(
        f"{rule.path} {rule.way}: {rule.reason}" if is_equal else rule.path
    )


def _result(names: list[str], finding: _Finding) -> Result:
    if finding.wrong or not all(one.holds for one in finding.intervals):
        word = Word.DIFFERENT
    elif finding.undecided:
        word = Word.UNVERIFIED
    else:
        word = Word.STATISTICAL if finding.intervals else Word.NORMALISED
    return Result(
        word=word,
        files=tuple(finding.wrong or names),
        intervals=tuple(finding.intervals),
        remarks=(*finding.undecided, *finding.remarks),
    )
