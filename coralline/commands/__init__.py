"""What each task does once its words are read: calls the rooms in order and prints the answer.

Every user error ends here with its own exit code; a bug keeps its traceback.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline import catalogue, console, parameters, placement, request, runs, session
from coralline.console.ending import guarded, print_json
from coralline.errors import INTERRUPTED, NothingToDoError, ProfileError
from coralline.notices import Kind, Notice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coralline.execute import Ended
    from coralline.plan import Decision
    from stages.spec import Parameter


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


def show_results(name: str | None, *, as_json: bool) -> None:
    """Print every number of a run."""
    from coralline import results

    with guarded():
        setting = session.Setting(artifacts=catalogue.artifacts())
        run = runs.load(setting.artifacts, name)
        if "swept" in run.request:
            from coralline.commands import farm as farmcommands

            farmcommands.show(run, as_json=as_json)
            return
        found = results.rows(run, setting.store)
        if as_json:
            print_json({"run": run.id, "rows": found})
            return
        print(f"run {run.id}")
        tables = results.tables(found)
        for host, headers, cells in tables:
            if tables[1:]:
                print(f"measured on {host}")
            console.show_table(headers, cells, disable_numparse=True, stralign="right")
        for label, reason in results.blocked(run):
            print(f"not made: {label}: {reason}")


def show_models(*, as_json: bool) -> None:
    """Print the models and what the graph knows of them."""
    with guarded():
        found = catalogue.models().values()
        headers = ["model", "title", "task", "input", "recipes", "stages"]
        cells = [
            [m.name, m.title, m.task, m.input_size, ", ".join(m.recipes or ["all"]), ", ".join(m.stages or ["all"])]
            for m in found
        ]
        _print_choices("models", headers, cells, as_json=as_json)


def show_recipes(*, as_json: bool) -> None:
    """Print the recipes."""
    with guarded():
        headers = ["recipe", "summary", "edgetpu", "default"]
        cells = [[name, r.summary, r.edgetpu, r.default] for name, r in catalogue.recipes().items()]
        _print_choices("recipes", headers, cells, as_json=as_json)


def show_stages(*, as_json: bool) -> None:
    """Print every stage with its parameters: type, bounds, default and meaning."""
    with guarded():
        headers = ["parameter", "values", "default", "meaning"]
        for spec in catalogue.specs().values():
            cells = [_described(parameter) for parameter in spec.parameters]
            if not as_json:
                print(f"\n{spec.name}: {spec.summary}\n")
                console.show_table(headers, cells, disable_numparse=True)
        if as_json:
            told = {spec.name: [_described(p) for p in spec.parameters] for spec in catalogue.specs().values()}
            listed = {name: [dict(zip(headers, row, strict=True)) for row in rows] for name, rows in told.items()}
            print_json({"schema": "coralline.stages", "version": 1, "stages": listed})


def show_doctor(*, edgetpu: bool, as_json: bool) -> None:
    """Print what this machine has and lacks; end with an exit code when something must be mended."""
    from coralline import doctor
    from coralline.doctor.machine import Machine

    with guarded():
        where = Machine(artifacts=catalogue.artifacts(), environ=os.environ)
        found = doctor.prove(where) if edgetpu else doctor.examine(where)
        if as_json:
            print_json(doctor.document(found))
        else:
            print(*doctor.lines(found), sep="\n")
        if code := doctor.exit_code(found, proving=edgetpu):
            raise SystemExit(code)


def run_tests(suites: str) -> None:
    """Run the project's checks in a process of their own, and end with their exit code."""
    with guarded():
        script = str(catalogue.PROJECT / "tests" / "suites.py")
        raise SystemExit(
            subprocess.run([sys.executable, script, *filter(None, suites.split(","))], check=False).returncode
        )


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
    made = [(d.artifact.path, d.step.spec.outputs) for d in reversed(ended.decided.values()) if d.artifact is not None]
    return next((path / output.path for path, outputs in made for output in outputs if output.kind == "html"), None)


def _shown(path: Path) -> str:
    """Write a path as short as it can be from here."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def _described(parameter: Parameter) -> list[str]:
    default = ",".join(map(str, parameter.default)) if isinstance(parameter.default, tuple) else str(parameter.default)
    return [parameter.name, parameters.expected(parameter), default, parameter.meaning]


def _print_choices(kind: str, headers: list[str], cells: list[list[Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {"schema": f"coralline.{kind}", "version": 1, kind: [dict(zip(headers, c, strict=True)) for c in cells]}
        )
    else:
        console.show_table(headers, cells, disable_numparse=True)
