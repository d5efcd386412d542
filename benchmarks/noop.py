"""How long a run takes that has nothing to do, beside DVC and Snakemake on an equal graph of stages and equal data.

    .coralline/host/bin/python benchmarks/noop.py

Makes one real run of `./run all --model inceptionv3` with small settings in its own artifacts folder (minutes, once)
and copies what its steps read and made into a DVC and a Snakemake project: as many steps, the same edges, the same
files. Then all of them, and a bare Invoke task, are asked to bring everything up to date, in turns. Goals: less than
half of the faster of the two, at most 0.3 s more than bare Invoke, 1,000 cached steps planned in less than 1 s.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import HOME, PROJECT, Command, environment, in_turns, report, summary

from coralline import graph, request, runs
from coralline.code import Code
from coralline.engines import choose
from coralline.plan import Action, Planner
from coralline.store import Store

if TYPE_CHECKING:
    from coralline.graph import Step
    from coralline.plan import Decision

DVC, SNAKEMAKE = "dvc==3.67.1", "snakemake==9.27.1"
PLANNED_STEPS = 1000
NOOP = HOME / "noop"
ARTIFACTS = NOOP / "artifacts"
SETTINGS = (
    *("dataset.train_events=60", "dataset.test_events=30", "dataset.size=75", "train.input_size=75", "train.epochs=0"),
    *("convert.calibration_images=8", "benchmark.min_runs=10", "benchmark.min_seconds=0.1"),
)


def main() -> None:
    """Make the three projects, run them in turns and report."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--rounds", type=int, default=15)
    asked.add_argument("--engine", default="auto")
    rounds, engine = (options := asked.parse_args()).rounds, options.engine
    run = _cached_run(engine)
    steps = _steps(run)
    commands = {
        "coralline": Command(_request(engine), PROJECT, {"CORALLINE_ARTIFACTS": str(ARTIFACTS)}),
        "dvc": _dvc(steps),
        "snakemake": _snakemake(steps),
        "bare invoke": _invoke(),
    }
    taken = in_turns(commands, rounds)
    cached = _thousand_steps(engine)
    taken["planning"] = [_planning(engine, *cached) for _ in range(rounds)]
    median = {name: float(summary(seconds)["median_s"]) for name, seconds in taken.items()}
    figures = {
        "steps": len(steps),
        "files": sum(len(step["files"]) for step in steps.values()),
        "bytes": sum(path.stat().st_size for step in steps.values() for path in step["files"]),
        "ratio to the faster of dvc and snakemake (goal < 0.5)": round(
            median["coralline"] / min(median["dvc"], median["snakemake"]), 3
        ),
        "seconds beyond bare invoke (goal <= 0.3)": round(median["coralline"] - median["bare invoke"], 3),
        f"seconds to plan {PLANNED_STEPS} cached steps (goal < 1)": median["planning"],
        "versions": f"{DVC} {SNAKEMAKE}",
    }
    report("noop", taken, figures)


def _request(engine: str) -> tuple[str, ...]:
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    return (str(PROJECT / "run"), "all", "--model", "inceptionv3", "--engine", engine, *settings)


def _cached_run(engine: str) -> runs.Run:
    """Run twice and return the second run, which reused everything."""
    command = Command(_request(engine), PROJECT, {"CORALLINE_ARTIFACTS": str(ARTIFACTS)})
    for _ in range(2):
        command.run()
    run = runs.load(ARTIFACTS)
    if not {told["state"] for told in run.steps.values()} <= {"reused", "blocked"}:
        sys.exit(f"the second run made something: {run.steps}")
    return run


def _steps(run: runs.Run) -> dict[str, dict[str, Any]]:
    """For each step that was made: the steps it reads, the files of its code, and its artifact."""
    store, drawn = Store(ARTIFACTS), graph.draw(_asked())
    found: dict[str, dict[str, Any]] = {}
    for label, told in run.steps.items():
        artifact = store.find(told["key"]) if told["state"] == "reused" else None
        if artifact is not None:
            found[label.replace("/", ".")] = {
                "needs": [
                    need.replace("/", ".") for need in drawn[label].needs if run.steps[need]["state"] == "reused"
                ],
                "code": sorted(artifact.record["key_parts"]["code"]),
                "artifact": artifact.path,
                "files": [path for path in artifact.path.rglob("*") if path.is_file()],
            }
    return found


def _asked() -> request.Request:
    return request.make(model="inceptionv3", settings=SETTINGS)


def _project(name: str, steps: dict[str, dict[str, Any]]) -> Path:
    """Make a fresh project folder with the code, and each artifact under `made/`: what the step's command copies."""
    folder = NOOP / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(PROJECT / "stages", folder / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    for label, step in steps.items():
        shutil.copytree(step["artifact"], folder / "made" / label)
    return folder


def _dvc(steps: dict[str, dict[str, Any]]) -> Command:
    program = environment("dvc", DVC) / "dvc"
    folder = _project("dvc", steps)
    stages = {
        label.replace(".", "_"): {
            "cmd": f"mkdir -p out && cp -r made/{label} out/{label}",
            "deps": [*step["code"], *(f"out/{need}" for need in step["needs"])],
            "outs": [f"out/{label}"],
        }
        for label, step in steps.items()
    }
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}), encoding="utf-8")
    variables = {"DVC_NO_ANALYTICS": "1"}
    for words in (("init", "--no-scm", "-q"), ("repro", "-q")):
        Command((str(program), *words), folder, variables).run()
    return Command((str(program), "repro"), folder, variables, says="up to date")


def _snakemake(steps: dict[str, dict[str, Any]]) -> Command:
    program = environment("snakemake", SNAKEMAKE) / "snakemake"
    folder = _project("snakemake", steps)
    rules = [f"rule all:\n    input: {json.dumps([f'out/{label}' for label in steps])}\n"]
    for number, (label, step) in enumerate(steps.items()):
        inputs = [*step["code"], *(f"out/{need}" for need in step["needs"])]
        output = json.dumps(f"out/{label}")
        rules.append(
            f"rule step{number}:\n    input: {json.dumps(inputs)}\n    output: directory({output})\n"
            f"    shell: {json.dumps(f'cp -r made/{label} out/{label}')}\n"
        )
    (folder / "Snakefile").write_text("\n".join(rules), encoding="utf-8")
    words = (str(program), "--cores", "1")
    Command(words, folder).run()
    return Command(words, folder, says="Nothing to be done")


def _invoke() -> Command:
    folder = NOOP / "invoke"
    folder.mkdir(parents=True, exist_ok=True)
    text = 'from invoke import task\n\n\n@task\ndef nothing(_context):\n    """Do nothing."""\n'
    (folder / "tasks.py").write_text(text, encoding="utf-8")
    return Command((sys.executable, "-m", "invoke", "nothing"), folder)


def _planning(engine: str, steps: dict[str, Step], root: Path) -> float:
    """Seconds to plan 1,000 steps that are all in the store, with nothing remembered but what a run leaves."""
    planner = _planner(engine, root)
    started = time.perf_counter_ns()
    decided = planner.plan(steps)
    seconds = (time.perf_counter_ns() - started) / 1e9
    if {decision.action for decision in decided.values()} != {Action.REUSE} or len(decided) != PLANNED_STEPS:
        sys.exit("not every planned step was reused")
    return seconds


def _planner(engine: str, root: Path) -> Planner:
    chosen = choose(engine, lambda _notice: None)
    return Planner(store=Store(root), engine=chosen, code=Code(PROJECT, root / "index" / "code.json"), external=str)


def _thousand_steps(engine: str) -> tuple[dict[str, Step], Path]:
    """Draw the real request with one seed after another; give it a store that holds a record for each step."""
    root = NOOP / "planning"
    shutil.rmtree(root, ignore_errors=True)
    planner, real = _planner(engine, root), Store(ARTIFACTS)
    steps: dict[str, Step] = {}
    seed = 0
    while len(steps) < PLANNED_STEPS:
        seed += 1
        _add_steps(steps, seed, planner, real)
    planner.code.remember()
    return steps, root


def _add_steps(steps: dict[str, Step], seed: int, planner: Planner, real: Store) -> None:
    """Add the request's steps with another seed of the data, and a record for each, made from the real one."""
    decided: dict[str, Decision] = {}
    asked = request.make(model="inceptionv3", settings=(*SETTINGS, f"dataset.seed={seed}"))
    for label, drawn in graph.draw(asked).items():
        step = _renamed(drawn, f"{seed}/", decided)
        made = real.last(label)
        if made is None or len(steps) == PLANNED_STEPS:  # blocked, so not cached
            continue
        decision = planner.decide(step, decided)
        home = planner.store.root / "objects" / str(decision.key)
        record = {**made.record, "key": decision.key, "key_parts": decision.parts, "digest": decision.key}
        home.mkdir(parents=True)
        (home / "record.json").write_text(json.dumps(record, indent=1, sort_keys=True), encoding="utf-8")
        decided[step.label] = planner.decide(step, decided)
        steps[step.label] = step


def _renamed(step: Step, prefix: str, known: dict[str, Decision]) -> Step:
    sources = {name: prefix + label for name, label in step.sources.items()}
    gathered = {name: prefix + label for name, label in step.gathered.items() if prefix + label in known}
    return replace(step, label=prefix + step.label, sources=sources, gathered=gathered)


if __name__ == "__main__":
    main()
