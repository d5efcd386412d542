"""What each task does once its words are read: calls the rooms in order and prints the answer.

Every user error ends here with its own exit code; a bug keeps its traceback.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline import catalogue, console, parameters, request, runs, session
from coralline.errors import INTERRUPTED, CorallineError, ImageError, ProfileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coralline.execute import Ended
    from coralline.images import Images
    from coralline.plan import Decision
    from stages.spec import Parameter

ARTIFACTS_VARIABLE = "CORALLINE_ARTIFACTS"


def run_all(words: Mapping[str, Any]) -> None:
    """Carry out a request and print where the report is."""
    with _guarded(debug=words["debug"]):
        wanted, setting = _request(words), _setting(words)
        watcher = console.watcher()
        try:
            run, ended = session.build(wanted, setting, watcher.notify)
        finally:
            watcher.close()
        _finish(run, ended)


def show_plan(words: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what would run and why."""
    with _guarded(debug=words["debug"]):
        decided = session.plan(_request(words), _setting(words), console.Plain(sys.stderr).notify)
        if as_json:
            from coralline.plan import as_rows

            _print_json({"schema": "coralline.plan", "version": 1, "steps": as_rows(decided)})
        else:
            _print_plan(decided)


def show_results(name: str | None, *, as_json: bool) -> None:
    """Print every number of a run."""
    from coralline import results

    with _guarded():
        setting = session.Setting(artifacts=_artifacts())
        run = runs.load(setting.artifacts, name)
        found = results.rows(run, setting.store)
        if as_json:
            _print_json({"run": run.id, "rows": found})
            return
        print(f"run {run.id}")
        console.show_table(*results.table(found), disable_numparse=True, stralign="right")
        for label, reason in results.blocked(run):
            print(f"not made: {label}: {reason}")


def show_models(*, as_json: bool) -> None:
    """Print the models and what the graph knows of them."""
    with _guarded():
        found = catalogue.models().values()
        headers = ["model", "title", "task", "input", "recipes", "stages"]
        cells = [
            [m.name, m.title, m.task, m.input_size, ", ".join(m.recipes or ["all"]), ", ".join(m.stages or ["all"])]
            for m in found
        ]
        _print_choices("models", headers, cells, as_json=as_json)


def show_recipes(*, as_json: bool) -> None:
    """Print the recipes."""
    with _guarded():
        headers = ["recipe", "summary", "edgetpu", "default"]
        cells = [[name, r.summary, r.edgetpu, r.default] for name, r in catalogue.recipes().items()]
        _print_choices("recipes", headers, cells, as_json=as_json)


def show_stages(*, as_json: bool) -> None:
    """Print every stage with its parameters: type, bounds, default and meaning."""
    with _guarded():
        headers = ["parameter", "values", "default", "meaning"]
        for spec in catalogue.specs().values():
            cells = [_described(spec.name, parameter) for parameter in spec.parameters]
            if not as_json:
                print(f"\n{spec.name}: {spec.summary}\n")
                console.show_table(headers, cells, disable_numparse=True)
        if as_json:
            told = {
                spec.name: [_described(spec.name, p) for p in spec.parameters] for spec in catalogue.specs().values()
            }
            listed = {name: [dict(zip(headers, row, strict=True)) for row in rows] for name, rows in told.items()}
            _print_json({"schema": "coralline.stages", "version": 1, "stages": listed})


def build_images(names: str, *, debug: bool) -> None:
    """Build images and print their ids; those of a vendor may be out of reach, unless they were named."""
    from coralline.engines import HOME
    from coralline.images import Images

    with _guarded(debug=debug):
        images, watcher = Images(catalogue.PROJECT, HOME / "images"), console.watcher()
        named = [name for name in names.split(",") if name]
        try:
            built = {name: _built(images, name, watcher, must=name in named) for name in named or images.usual()}
        finally:
            watcher.close()
        for name, told in built.items():
            print(f"{name:20} {told}")


def _built(images: Images, name: str, watcher: console.Watcher, *, must: bool) -> str:
    try:
        return images.build(name, lambda event: watcher.notify(session.preparing(name, event)))
    except ImageError as error:
        if must or not images.is_vendor(name):
            raise
        return f"not built: {error.message}"


def lock_images(names: str, *, debug: bool) -> None:
    """Make the locks anew from their requirements and print what changed."""
    from coralline.images import locks

    with _guarded(debug=debug):
        for row in locks.refresh([n for n in names.split(",") if n], catalogue.PROJECT):
            print(row)


def run_tests(suites: str) -> None:
    """Run the project's checks in a process of their own, and end with their exit code."""
    with _guarded():
        script = str(catalogue.PROJECT / "tests" / "suites.py")
        raise SystemExit(
            subprocess.run([sys.executable, script, *filter(None, suites.split(","))], check=False).returncode
        )


@contextlib.contextmanager
def _guarded(*, debug: bool = False) -> Iterator[None]:
    """Turn user errors into two lines and their exit code."""
    try:
        yield
    except CorallineError as error:
        if debug:
            traceback.print_exc()
        console.show_error(error)
        raise SystemExit(error.code) from None
    except KeyboardInterrupt:
        print("interrupted; finished artifacts are kept", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - stays open until the end
        raise SystemExit(0) from None


def _request(words: Mapping[str, Any]) -> request.Request:
    names = ("model", "recipes", "profile", "data", "init", "on_bad_image", "only", "edgetpu", "gpus")
    return request.make(**{name: words[name] for name in names}, settings=words["set_"], again_from=words["from_"])


def _setting(words: Mapping[str, Any]) -> session.Setting:
    return replace(session.Setting(artifacts=_artifacts()), engine=words["engine"], jobs=_jobs(words["jobs"]))


def _artifacts() -> Path:
    told = os.environ.get(ARTIFACTS_VARIABLE)
    return Path(told).resolve() if told else session.Setting().artifacts


def _jobs(word: str) -> int:
    if not word:
        return 0
    if not word.isdecimal() or int(word) < 1:
        raise ProfileError(f"--jobs {word!r} is not possible", hint="expected a whole number of at least 1")
    return int(word)


def _print_plan(decided: Mapping[str, Decision]) -> None:
    for label, decision in decided.items():
        reason = "" if decision.reason == str(decision.action) else f": {decision.reason}"
        print(f"{decision.action!s:8} {label}{reason}")


def _finish(run: runs.Run, ended: Ended) -> None:
    """Say how the run ended, and end with the exit code of the first failure."""
    for error in ended.errors.values():
        console.show_error(error)
    if ended.interrupted:
        print(f"interrupted: run {run.id}; finished artifacts are kept, the same command goes on", file=sys.stderr)
        raise SystemExit(INTERRUPTED)
    if ended.errors:
        raise SystemExit(next(iter(ended.errors.values())).code)
    _print_end(run, ended)


def _print_end(run: runs.Run, ended: Ended) -> None:
    states = [told["state"] for told in run.steps.values()]
    counts = ", ".join(f"{states.count(state)} {state}" for state in ("made", "reused", "blocked") if state in states)
    print(f"run {run.id}: {counts}")
    report = ended.decided.get("report")
    if report is not None and report.artifact is not None:
        print(f"report  {_shown(report.artifact.path / 'report.html')}")
        print("next    ./run results")
    else:
        last = next((d for d in reversed(ended.decided.values()) if d.artifact is not None), None)
        if last is not None and last.artifact is not None:
            print(f"{last.step.label}  {_shown(last.artifact.path)}")


def _shown(path: Path) -> str:
    """Write a path as short as it can be from here."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def _described(_stage: str, parameter: Parameter) -> list[str]:
    default = ",".join(map(str, parameter.default)) if isinstance(parameter.default, tuple) else str(parameter.default)
    return [parameter.name, parameters.expected(parameter), default, parameter.meaning]


def _print_choices(kind: str, headers: list[str], cells: list[list[Any]], *, as_json: bool) -> None:
    if as_json:
        _print_json(
            {"schema": f"coralline.{kind}", "version": 1, kind: [dict(zip(headers, c, strict=True)) for c in cells]}
        )
    else:
        console.show_table(headers, cells, disable_numparse=True)


def _print_json(document: Any) -> None:
    print(json.dumps(document, indent=1, sort_keys=True))
