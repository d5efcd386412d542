"""What a step costs beside its own work: 1,000 trivial steps here and through Dask, beside Snakemake and DVC.

    .coralline/host/bin/python benchmarks/scheduling.py [--steps N] [--rounds N] [--jobs N]

Two graphs: `wide`, steps that need nothing; and `fan-in`, chains whose ends are gathered, and gathered again. Each step
reads what it needs and writes a small file. All four make the same graph from nothing, in turns, each with a new
process. Ours starts Python for each step, without network, hashes and records what it made and puts it durably on disk;
theirs starts a shell. DVC makes one step at a time, the others --jobs. Goal: ahead of both.
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

from measure import HOME, PROJECT, Command, environment, in_turns, report, summary

from coralline.farm import entry

DVC, SNAKEMAKE = "dvc==3.67.1", "snakemake==9.27.1"
SCHEDULING = HOME / "scheduling"
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
    input: expand("out/{n}.txt", n=list(NEEDS))

rule step:
    input: lambda wildcards: [f"out/{n}.txt" for n in NEEDS[wildcards.n]]
    output: "out/{n}.txt"
    shell: "cat {input} /dev/null | tail -c 100 > {output}; echo {wildcards.n} >> {output}"
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
    for shape, needs in (("wide", wide(options.steps)), ("fan-in", fan_in(options.steps))):
        commands = {
            **{
                f"{shape} {where}": _ours(where, shape, needs, project, options.jobs)
                for where in ("local", "dask", "bare")
            },
            f"{shape} snakemake": _snakemake(shape, needs, options.jobs),
            f"{shape} dvc": _dvc(shape, needs),
        }
        taken |= in_turns(commands, options.rounds)
    report("scheduling", taken, _figures(taken, options.steps, options.jobs))


def _figures(taken: dict[str, list[float]], steps: int, jobs: int) -> dict[str, object]:
    median = {name: float(summary(seconds)["median_s"]) for name, seconds in taken.items()}
    figures: dict[str, object] = {"steps": steps, "jobs": jobs, "versions": f"{DVC} {SNAKEMAKE}"}
    for shape in ("wide", "fan-in"):
        each = {
            name: median[f"{shape} {name}"] / steps * 1000 for name in ("local", "dask", "bare", "snakemake", "dvc")
        }
        figures |= {f"{shape}: ms for each step, {name}": round(ms, 2) for name, ms in each.items()}
        figures[f"{shape}: ms for each step that are ours, local"] = round(each["local"] - each["bare"], 2)
        for place in ("local", "dask"):
            ratio = each[place] / min(each["snakemake"], each["dvc"])
            figures[f"{shape}: {place} to the faster of both (goal < 1)"] = round(ratio, 3)
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


def _ours(where: str, shape: str, needs: dict[str, list[str]], project: Path, jobs: int) -> Command:
    folder, farm = _folder(f"{shape} {where}", needs), entry.environment()
    farm.ensure(lambda text: print(text, file=sys.stderr))
    python = str(farm.python) if where == "dask" else sys.executable
    artifacts = folder / "artifacts"
    return Command(
        (python, "-P", str(PROJECT / "benchmarks" / "thousand.py"), where, str(folder / "graph.json"), str(jobs)),
        folder,
        {"PYTHONPATH": str(project), "CORALLINE_ARTIFACTS": str(artifacts)},
        before=lambda: shutil.rmtree(artifacts, ignore_errors=True),
    )


def _snakemake(shape: str, needs: dict[str, list[str]], jobs: int) -> Command:
    folder = _folder(f"{shape} snakemake", needs)
    (folder / "Snakefile").write_text(SNAKEFILE, encoding="utf-8")
    program = environment("snakemake", SNAKEMAKE) / "snakemake"
    return Command(
        (str(program), "--cores", str(jobs), "--quiet"), folder, before=lambda: _forget(folder, "out", ".snakemake")
    )


def _dvc(shape: str, needs: dict[str, list[str]]) -> Command:
    folder, program = _folder(f"{shape} dvc", needs), environment("dvc", DVC) / "dvc"
    stages = {
        f"step{name}": {
            "cmd": f"mkdir -p out; cat {' '.join(reads)} /dev/null | tail -c 100 > out/{name}.txt; "
            f"echo {name} >> out/{name}.txt",
            "deps": reads,
            "outs": [f"out/{name}.txt"],
        }
        for name, reads in ((name, [f"out/{one}.txt" for one in read]) for name, read in needs.items())
    }
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}), encoding="utf-8")

    def forget() -> None:
        _forget(folder, "out", ".dvc", "dvc.lock")
        subprocess.run([program, "init", "--no-scm", "-q"], cwd=folder, env={**os.environ, **QUIETLY}, check=True)

    return Command((str(program), "repro", "-q"), folder, QUIETLY, before=forget)


QUIETLY = {"DVC_NO_ANALYTICS": "1"}


def _forget(folder: Path, *names: str) -> None:
    for name in names:
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
