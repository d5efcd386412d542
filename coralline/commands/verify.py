"""The task that verifies: reads its words, has a run made again or compared, prints the verdicts, ends by the worst."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline import catalogue, console, runs
from coralline.commands.requests import jobs_of
from coralline.console.ending import guarded, print_json
from coralline.errors import ProfileError, nearest
from coralline.notices import Kind, Notice
from coralline.session import Setting
from coralline.verify.verdict import Word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coralline.bundle.reader import Bundle
    from coralline.notices import Notify
    from coralline.verify.verdict import Interval, Verdict, Verification

EXTERNALS = ("data", "init", "meter")
MOST_FILES = 4  # named of those that differ


def verify(words: Mapping[str, Any], *, as_json: bool) -> None:
    """Say of each artifact of a run whether it can be made again, and end with the code of the worst verdict."""
    with guarded(debug=words["debug"]):
        _check(words)
        watcher = console.watcher()
        try:
            found = _verified(words, watcher.notify)
        finally:
            watcher.close()
        for error in found.errors:
            console.show_error(error)
        if as_json:
            print_json(found.document())
        else:
            print(*lines(found), sep="\n")
            if found.against and words["key"] is None:
                print("not checked: who made the bundle; a signed one is checked with --key FILE")
        if found.exit_code:
            raise SystemExit(found.exit_code)


def _verified(words: Mapping[str, Any], notify: Notify) -> Verification:
    from coralline.verify.examine import Examination

    setting = Setting(artifacts=catalogue.artifacts(), engine=words["engine"], jobs=jobs_of(words["jobs"]))
    how = Examination(setting=setting, externals=_externals(words), only=words["only"], notify=notify)
    if words["against"] is None:
        return how.rebuild(runs.load(setting.artifacts, words["run"]))
    with _opened(words, notify) as bundle:
        name = Path(words["against"]).name
        if words["run"]:
            return how.side_by_side(runs.load(setting.artifacts, words["run"]), bundle, name)
        return how.against(bundle, name)


@contextlib.contextmanager
def _opened(words: Mapping[str, Any], notify: Notify) -> Iterator[Bundle]:
    """Open the bundle to compare with; nothing in it is believed before its signature was checked, if one is wanted."""
    from coralline.bundle import signatures
    from coralline.bundle.reader import Bundle

    def tell(text: str, done: int = 0, total: int = 0) -> None:
        notify(Notice(kind=Kind.PROGRESS, label="bundle", text=text, done=done, total=total, unit="byte"))

    with Bundle(Path(words["against"]).expanduser(), lambda done, total: tell("checking", done, total)) as bundle:
        if words["key"] is not None:
            signatures.check(bundle, Path(words["key"]).expanduser(), tell)
        yield bundle


def _check(words: Mapping[str, Any]) -> None:
    """Refuse what means nothing, before anything is looked at."""
    known = catalogue.specs()
    if words["only"] is not None and words["only"] not in known:
        raise ProfileError(f"no such stage {words['only']!r}", hint=nearest(words["only"], known, "stages"))
    if words["key"] is not None and words["against"] is None:
        raise ProfileError("--key means nothing without --against", hint="name the bundle that was signed")


def _externals(words: Mapping[str, Any]) -> dict[str, Path]:
    found = {name: Path(words[name]).expanduser().resolve() for name in EXTERNALS if words[name] is not None}
    for name, path in found.items():
        if not path.exists():
            raise ProfileError(f"--{name}: {words[name]!r} does not exist", hint="give the path of a folder or file")
    return found


def lines(found: Verification) -> Iterator[str]:
    """Write a verification as text: a line for each artifact, more under those of which there is more to say."""
    against = f" against {found.against}" if found.against else ""
    yield f"run {found.run}{against}"
    for verdict in found.verdicts:
        yield f"{verdict.word!s:{len(Word.NORMALISED)}}  {verdict.level}  {verdict.label}"
        yield from ("    " + _in_one_line(text) for text in _more(verdict))
    counted = Counter(verdict.word for verdict in found.verdicts)
    yield ", ".join(f"{counted[word]} {word}" for word in Word if counted[word])
    if found.kept:
        yield f"kept    {found.kept}"


def _in_one_line(text: str) -> str:
    """Write what a record or a step says, which may be of others, so that no letter of it moves a cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _more(verdict: Verdict) -> Iterator[str]:
    if verdict.cause is not None:
        yield f"first difference: {verdict.cause.text}"
    if verdict.files and verdict.word in (Word.DIFFERENT, Word.CORRUPTED):
        rest = f" and {len(verdict.files) - MOST_FILES} more" if verdict.files[MOST_FILES:] else ""
        yield "files: " + ", ".join(verdict.files[:MOST_FILES]) + rest
    yield from map(_interval, verdict.intervals)
    yield from verdict.remarks


def _interval(one: Interval) -> str:
    unit = "" if one.unit == "1" else f" {one.unit}"
    held = "in" if one.holds else "NOT in"
    numbers = f"{one.original:.4g} -> {one.rebuilt:.4g}{unit}, {held} [{one.low:.4g}, {one.high:.4g}]"
    return f"{one.name}: {numbers}: {one.rule}"
