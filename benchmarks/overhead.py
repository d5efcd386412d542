"""What the build system costs: a cold run in Docker beside the same `docker run` commands by hand.

    .coralline/host/bin/python benchmarks/overhead.py

The command lines are the engine's own replay lines, one after another in a shell script, each step on what the steps
before it made; by hand nothing is planned, hashed, checked, recorded or made durable. Both run one step at a time from
an empty folder, with the images built. Goal: at most 1.03.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from typing import TYPE_CHECKING

from measure import HOME, PROJECT, Command, in_turns, report, summary

from coralline import graph, host, request, runs
from coralline.engines import HOME as STATE
from coralline.engines import base, container
from coralline.engines.docker import DockerEngine
from coralline.store import Artifact, Store

if TYPE_CHECKING:
    from coralline.graph import Step

OVERHEAD = HOME / "overhead"
ARTIFACTS, BY_HAND = OVERHEAD / "artifacts", OVERHEAD / "by-hand"
MODEL, RECIPES = "resnet50v2", "float32,ptq-int8"
ENGINE = ("--engine", "docker", "--jobs", "1")
SETTINGS = (
    *("dataset.train_events=300", "dataset.test_events=90", "dataset.size=64", "train.input_size=64", "train.epochs=2"),
    *("convert.calibration_images=32", "benchmark.min_runs=10", "benchmark.min_seconds=0.1"),
)


def main() -> None:
    """Run both in turns and report."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--rounds", type=int, default=5)
    rounds = asked.parse_args().rounds
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    words = ("all", "--model", MODEL, "--recipes", RECIPES, "--only", "benchmark", *ENGINE, *settings)
    variables = {"CORALLINE_ARTIFACTS": str(ARTIFACTS)}
    cold = Command((str(PROJECT / "run"), *words), PROJECT, variables, before=_forget)
    cold.run()
    script, steps = _script()
    commands = {"coralline": cold, "by hand": Command(("sh", "-eu", str(script)), OVERHEAD, before=_empty)}
    taken = in_turns(commands, rounds)
    median = {name: float(summary(seconds)["median_s"]) for name, seconds in taken.items()}
    paired = [ours / theirs for ours, theirs in zip(taken["coralline"], taken["by hand"], strict=True)]
    figures = {
        "steps": steps,
        "ratio of medians (goal <= 1.03)": round(median["coralline"] / median["by hand"], 4),
        "ratio of each round": [round(ratio, 4) for ratio in paired],
        "seconds more for each step": round((median["coralline"] - median["by hand"]) / steps, 3),
    }
    report("overhead", taken, figures)


def _forget() -> None:
    shutil.rmtree(ARTIFACTS, ignore_errors=True)


def _empty() -> None:
    for folder in BY_HAND.iterdir():
        if folder.name != "logs":
            shutil.rmtree(folder)


def _script() -> tuple[Path, int]:
    """Write the shell script that does by hand what the run just did; return it and its number of steps."""
    run, store = runs.load(ARTIFACTS), Store(ARTIFACTS)
    drawn = graph.draw(request.make(model=MODEL, recipes=RECIPES, settings=SETTINGS))
    made = {label: store.find(told["key"]) for label, told in run.steps.items() if told["state"] == "made"}
    engine = DockerEngine(PROJECT, STATE)
    shutil.rmtree(BY_HAND, ignore_errors=True)
    lines = []
    for label, artifact in made.items():
        assert artifact is not None, label  # noqa: S101 - the run has just made it
        job = _job(drawn[label], artifact, run)
        base.write_step(job, container.inside(job))
        lines.append(engine.replay(job))
    script = OVERHEAD / "by-hand.sh"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return script, len(lines)


def _job(step: Step, artifact: Artifact, run: runs.Run) -> base.Job:
    missing = dict(artifact.record["key_parts"]["missing"])
    names = step.sources | {name: label for name, label in step.gathered.items() if label not in missing}
    return base.Job(
        label=step.label,
        stage=step.spec.name,
        code=PROJECT,
        image=step.variant.image,
        parameters=dict(step.parameters),
        threads=host.cores() if step.spec.cores == "all" else 1,
        inputs={name: BY_HAND / label.replace("/", ".") for name, label in names.items()},
        out=BY_HAND / step.label.replace("/", "."),
        partial=BY_HAND / f"{step.label.replace('/', '.')}.partial" if step.spec.resumable else None,
        missing=[{"step": label, "reason": reason} for label, reason in sorted(missing.items())],
        log=BY_HAND / "logs" / f"{step.label.replace('/', '.')}.log",
        memory_bytes=int(step.spec.memory_gib * 2**30),
        run_id=run.id,
        key=artifact.key,
    )


if __name__ == "__main__":
    main()
