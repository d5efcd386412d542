"""What a step costs beside its own work: 1,000 trivial steps here and through Dask, beside Snakemake and DVC.

    .coralline/host/bin/python benchmarks/scheduling.py [--steps N] [--rounds N] [--jobs N]

Two graphs: `wide`, steps that need nothing; and `fan-in`, chains whose ends are gathered, and gathered again. All four
make the same graph from nothing, in turns, each in a new process. A step is one program for all, which reads the files
of the steps before it and writes one: `alone` runs it as often, and nothing else. What a run takes beyond that is
overhead: of ours to cut off the network, check, hash and record what was made and put it durably on disk. DVC makes one
step at a time, the others --jobs; its graph has a tenth of the steps, which is in its favour: what it takes for a step
grows with their number. Goal: ahead of both.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import HOME, PROJECT, Command, Environment, environment, in_turns, report, summary

from coralline.farm import entry

DVC, SNAKEMAKE = "dvc==3.67.1", "snakemake==9.27.1"
SCHEDULING = HOME / "scheduling"
COMPARED = ("local", "dask", "snakemake", "dvc")
DVC_SHARE = 10  # of the steps, one in so many
CHAIN, GATHERED = 10, 10  # steps of a chain; chains, or gatherings, that a gathering step reads

SPEC = '''"""A step that does next to nothing."""
from stages.spec import Output, Parameter, Spec, Variant

SPEC = Spec(
    name="trivial",
    summary="write a number",
    variants=(Variant("trivial"),),
    outputs=(Output("out.txt", "text"),),
    parameters=(Parameter("number", "int", 0, "what to write"),),
)
'''
MAIN = '''"""Copies what it reads, adds its number."""
from stages import contract


def main(step):
    read = [(place / "out.txt").read_text() for place in step.inputs.values()]
    (step.out / "out.txt").write_text("".join(read)[-100:] + "%d\\n" % step.parameters["number"])
    step.record()


contract.run(main)
'''
SNAKEFILE = """import json

with open("graph.json") as file:
    NEEDS = json.load(file)

rule all:
    input: expand("out/{n}/out.txt", n=list(NEEDS))

rule step:
    input: lambda wildcards: [f"out/{n}/out.txt" for n in NEEDS[wildcards.n]]
    output: "out/{n}/out.txt"
    shell: "sh step.sh {wildcards.n}"
"""
STEP = """mkdir -p out/$1
export CORALLINE_STEP=steps/$1.json PYTHONPATH={project} PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
exec {python} -m stages.trivial
"""


def main() -> None:
    """Make the projects, run them in turns and report."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--steps", type=int, default=1000)
    asked.add_argument("--rounds", type=int, default=3, help="at least 2")
    asked.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    options = asked.parse_args()
    project = _project()
    taken: dict[str, list[float]] = {}
    for shape, draw in (("wide", wide), ("fan-in", fan_in)):
        needs = draw(options.steps)
        commands = {
            **{f"{shape} {where}": _ours(where, shape, needs, project, options.jobs) for where in ("local", "dask")},
            f"{shape} snakemake": _snakemake(shape, needs, project, options.jobs),
            f"{shape} dvc": _dvc(shape, draw(options.steps // DVC_SHARE), project),
            f"{shape} alone": _alone(shape, options.steps, project, options.jobs),
        }
        taken |= in_turns(commands, options.rounds)
    report("scheduling", taken, _figures(taken, options.steps, options.jobs))


def _figures(taken: dict[str, list[float]], steps: int, jobs: int) -> dict[str, object]:
    median = {name: float(summary(seconds)["median_s"]) for name, seconds in taken.items()}
    figures: dict[str, object] = {"steps": steps, "jobs": jobs, "versions": f"{DVC} {SNAKEMAKE}"}
    for shape in ("wide", "fan-in"):
        made = dict.fromkeys((*COMPARED, "alone"), steps) | {"dvc": steps // DVC_SHARE}
        each = {name: median[f"{shape} {name}"] / count * 1000 for name, count in made.items()}
        over = {name: each[name] - each["alone"] for name in COMPARED}
        figures |= {f"{shape}: ms for each step, {name}": round(ms, 2) for name, ms in each.items()}
        figures |= {f"{shape}: ms of overhead for each step, {name}": round(ms, 2) for name, ms in over.items()}
        for place in ("local", "dask"):
            ratio = over[place] / min(over["snakemake"], over["dvc"])
            figures[f"{shape}: overhead of {place} to the least of both (goal < 1)"] = round(ratio, 3)
    return figures


def wide(steps: int) -> dict[str, list[str]]:
    """Return steps that need nothing."""
    return {str(number): [] for number in range(steps)}


def fan_in(steps: int) -> dict[str, list[str]]:
    """Return chains, whose ends are gathered, whose gatherings are gathered, until the steps are used up."""
    needs: dict[str, list[str]] = {}
    ends: list[str] = []
    while len(needs) < steps:
        name = str(len(needs))
        if len(ends) >= GATHERED:
            needs[name], ends = ends[:GATHERED], ends[GATHERED:]
            continue
        chain = [str(len(needs) + place) for place in range(min(CHAIN, steps - len(needs)))]
        needs |= {step: chain[place - 1 : place] if place else [] for place, step in enumerate(chain)}
        ends.append(chain[-1])
    return needs


def _project() -> Path:
    """Copy this project, with one stage more: workers and steps must find the stage as they find all others."""
    folder = SCHEDULING / "project"
    for name in ("coralline", "stages"):
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "stages" / "trivial").mkdir()
    for name, text in (("__init__", '"""."""\n'), ("spec", SPEC), ("__main__", MAIN)):
        (folder / "stages" / "trivial" / f"{name}.py").write_text(text, encoding="utf-8")
    lock = folder / "docker" / "trivial" / "requirements.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text("# nothing but Python\n", encoding="utf-8")
    return folder


def _folder(name: str, needs: dict[str, list[str]]) -> Path:
    folder = SCHEDULING / name.replace(" ", "-")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "graph.json").write_text(json.dumps(needs), encoding="utf-8")
    return folder


def _theirs(name: str, needs: dict[str, list[str]], project: Path) -> Path:
    """Make a folder in which `sh step.sh N` runs the program of step N, as the local engine would."""
    folder = _folder(name, needs)
    python = _python(project)
    (folder / "step.sh").write_text(STEP.format(project=project, python=python), encoding="utf-8")
    (folder / "steps").mkdir()
    for step, read in needs.items():
        told = {
            "stage": "trivial",
            "label": f"trivial/{step}",
            "parameters": {"number": int(step)},
            "threads": 1,
            "inputs": {f"step{other}": f"out/{other}" for other in read},
            "out": f"out/{step}",
            "partial": None,
            "missing": [],
        }
        (folder / "steps" / f"{step}.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


def _python(project: Path) -> Path:
    """Return the interpreter of the trivial stage, in the environment that our engine makes for it."""
    made = Environment(
        "trivial", project / "docker" / "trivial" / "requirements.lock", project / ".coralline" / "environments"
    )
    made.ensure(lambda text: print(text, file=sys.stderr))
    return made.python


def _ours(where: str, shape: str, needs: dict[str, list[str]], project: Path, jobs: int) -> Command:
    folder, farm = _folder(f"{shape} {where}", needs), entry.environment()
    farm.ensure(lambda text: print(text, file=sys.stderr))
    python = str(farm.python) if where == "dask" else sys.executable
    artifacts = folder / "artifacts"
    return Command(
        (python, "-P", str(PROJECT / "benchmarks" / "thousand.py"), where, str(folder / "graph.json"), str(jobs)),
        folder,
        {"PYTHONPATH": str(project), "CORALLINE_ARTIFACTS": str(artifacts)},
        before=lambda: _forget(artifacts),
    )


def _alone(shape: str, steps: int, project: Path, jobs: int) -> Command:
    """Run the program as often, in no order: so each reads nothing."""
    folder = _theirs(f"{shape} alone", wide(steps), project)
    words = ("sh", "-c", f"seq 0 {steps - 1} | xargs -P {jobs} -n 1 sh step.sh")
    return Command(words, folder, before=lambda: _forget(folder / "out"))


def _snakemake(shape: str, needs: dict[str, list[str]], project: Path, jobs: int) -> Command:
    folder = _theirs(f"{shape} snakemake", needs, project)
    (folder / "Snakefile").write_text(SNAKEFILE, encoding="utf-8")
    words = (str(environment("snakemake", SNAKEMAKE) / "snakemake"), "--cores", str(jobs), "--quiet")
    return Command(words, folder, before=lambda: _forget(folder / "out", folder / ".snakemake"))


def _dvc(shape: str, needs: dict[str, list[str]], project: Path) -> Command:
    folder, program = _theirs(f"{shape} dvc", needs, project), environment("dvc", DVC) / "dvc"
    stages = {
        f"step{name}": {
            "cmd": f"sh step.sh {name}",
            "deps": [f"out/{other}/out.txt" for other in read],
            "outs": [f"out/{name}/out.txt"],
        }
        for name, read in needs.items()
    }
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}), encoding="utf-8")

    def forget() -> None:
        _forget(folder / "out", folder / ".dvc", folder / "dvc.lock")
        subprocess.run([program, "init", "--no-scm", "-q"], cwd=folder, env={**os.environ, **QUIETLY}, check=True)

    return Command((str(program), "repro", "-q"), folder, QUIETLY, before=forget)


QUIETLY = {"DVC_NO_ANALYTICS": "1"}


def _forget(*places: Path) -> None:
    for place in places:
        shutil.rmtree(place, ignore_errors=True)
        place.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
