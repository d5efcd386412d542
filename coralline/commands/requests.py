"""Tasks that carry out a request or plan it: the whole way, one answer of it, or what would run."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline import catalogue, console, placement, request, runs, session
from coralline.console.ending import guarded, print_json
from coralline.errors import INTERRUPTED, NothingToDoError, ProfileError
from coralline.notices import Kind, Notice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coralline.execute import Ended
    from coralline.plan import Decision


def run_all(words: Mapping[str, Any]) -> None:
    """Carry out a request and print where the report is."""
    with guarded(debug=words["debug"]):
        run, ended = carried_out(words)
        end_on_trouble(run, ended)
        print_end(run, ended)


def show_parity(words: Mapping[str, Any], *, as_json: bool) -> None:
    """Compare the runtimes of the models' int8 files, making what is missing, and print how far they agree."""
    from coralline.console import answers

    with guarded(debug=words["debug"]):
        run, ended = carried_out({**words, "only": "parity"})
        told = _documents(ended, "parity", "parity.json")
        if as_json and told:
            several = {"schema": "coralline.parities", "version": 1, "parities": told}
            print_json(told[0] if len(told) == 1 else several)
        for document in () if as_json else told:
            answers.show_parity(document)
        _end_without_answer(run, ended, "parity", "no file could be compared")


def show_paper(words: Mapping[str, Any], *, as_json: bool) -> None:
    """Replay the paper's benchmark, making what is missing; print Table 1 in short, and where the page is."""
    from coralline.console import answers

    with guarded(debug=words["debug"]):
        run, ended = carried_out({**words, "only": "paper"})
        for document in _documents(ended, "paper", "paper.json"):
            (print_json if as_json else answers.show_paper)(document)
        _end_without_answer(run, ended, "paper", "there is nothing to set beside the paper")
        if not as_json:
            print_end(run, ended)


def show_plan(words: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what would run and why."""
    with guarded(debug=words["debug"]):
        decided = session.plan(_request(words), _setting(words), console.Plain(sys.stderr).notify)
        if as_json:
            from coralline.plan import as_rows

            print_json({"schema": "coralline.plan", "version": 1, "steps": as_rows(decided)})
        else:
            _print_plan(decided)


def _request(words: Mapping[str, Any]) -> request.Request:
    names = ("model", "recipes", "profile", "data", "init", "meter", "meter_on", "tdp", "on_bad_image", "only")
    return request.make(
        **{name: words[name] for name in (*names, "edgetpu", "gpus")},
        settings=words["set_"],
        again_from=words["from_"],
        several=bool(words.get("several")),
    )


def _setting(words: Mapping[str, Any]) -> session.Setting:
    """Read where steps run; with a farm, this process goes on in the farm's environment."""
    jobs, placed = jobs_of(words["jobs"]), placement.parse(words["on"] or ())
    if placed.farm is not None:
        from coralline.farm import entry

        entry.enter(lambda text: console.Plain(sys.stderr).notify(Notice(kind=Kind.NOTE, text=text)))
    return session.Setting(artifacts=catalogue.artifacts(), engine=words["engine"], jobs=jobs, placement=placed)


def jobs_of(word: str) -> int:
    """Read the word of `--jobs`; 0 stands for one for each core."""
    if not word:
        return 0
    if not word.isdecimal() or len(word) > 9 or int(word) < 1:
        raise ProfileError(f"--jobs {word!r} is not possible", hint="expected a whole number of at least 1")
    return int(word)


def carried_out(words: Mapping[str, Any]) -> tuple[runs.Run, Ended]:
    """Carry a request out while a watcher tells what happens."""
    wanted, setting = _request(words), _setting(words)
    watcher = console.watcher()
    try:
        return session.build(wanted, setting, watcher.notify)
    finally:
        watcher.close()


def _documents(ended: Ended, stage: str, name: str) -> list[dict[str, Any]]:
    """Read a document of every step of a stage that was made."""
    made = [d.artifact for d in ended.decided.values() if d.step.spec.name == stage and d.artifact]
    return [json.loads((artifact.path / name).read_text(encoding="utf-8")) for artifact in made]


def _end_without_answer(run: runs.Run, ended: Ended, stage: str, nothing: str) -> None:
    """Say which steps of a stage were not made and why; end here when something failed, or none was made."""
    decided = [decision for decision in ended.decided.values() if decision.step.spec.name == stage]
    missing = [decision for decision in decided if decision.artifact is None]
    for decision in missing:
        print(f"not made: {decision.step.label}: {decision.reason}", file=sys.stderr)
    end_on_trouble(run, ended)
    if missing == decided:
        raise NothingToDoError(nothing, hint="the lines above say why")


def _print_plan(decided: Mapping[str, Decision]) -> None:
    for label, decision in decided.items():
        reason = "" if decision.reason == str(decision.action) else f": {decision.reason}"
        print(f"{decision.action!s:8} {label}{reason}")


def end_on_trouble(run: runs.Run, ended: Ended) -> None:
    """Say what failed, if anything did, and end with the exit code of the first failure."""
    for error in ended.errors.values():
        console.show_error(error)
    if ended.interrupted:
        print(f"interrupted: run {run.id}; finished artifacts are kept, the same command goes on", file=sys.stderr)
        raise SystemExit(INTERRUPTED)
    if ended.errors:
        raise SystemExit(next(iter(ended.errors.values())).code)


def print_end(run: runs.Run, ended: Ended) -> None:
    """Print what a run made, where to look, and what comes next."""
    states = [told["state"] for told in run.steps.values()]
    counts = ", ".join(f"{states.count(state)} {state}" for state in ("made", "reused", "blocked") if state in states)
    print(f"run {run.id}: {counts}")
    page = _page(ended)
    if page is not None:
        print(f"report  {_shown(page)}")
        print("next    ./run results")
    else:
        last = next((d for d in reversed(ended.decided.values()) if d.artifact is not None), None)
        if last is not None and last.artifact is not None:
            print(f"{last.step.label}  {_shown(last.artifact.path)}")


def _page(ended: Ended) -> Path | None:
    """Find the page that the run ends with, if it has one."""
    made = [(d.artifact.path, d.step.outputs) for d in reversed(ended.decided.values()) if d.artifact is not None]
    return next((path / output.path for path, outputs in made for output in outputs if output.kind == "html"), None)


def _shown(path: Path) -> str:
    """Write a path as short as it can be from here."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
