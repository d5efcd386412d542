"""Where a benchmark finds what a run made: the folders of one model's file and of its data set, made when missing."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from measure import PROJECT, Environment

from coralline.engines import HOME as STATE


def asked(about: str, option: str, default: int) -> argparse.Namespace:
    """Read the command line: one number of the benchmark's own, and the file to measure."""
    words = argparse.ArgumentParser(description=about.partition("\n")[0])
    words.add_argument(f"--{option}", type=int, default=default)
    words.add_argument("--model", default="inceptionv3")
    words.add_argument("--recipe", default="ptq-int8-stock")
    return words.parse_args()


def converted(model: str, recipe: str) -> tuple[Path, Path]:
    """Make a file by a recipe on the default profile; return its folder and that of its data set."""
    words = ("--model", model, "--recipes", recipe, "--only", "convert")
    subprocess.run([PROJECT / "run", "all", *words], check=True)
    told = subprocess.run([PROJECT / "run", "results", "--json"], check=True, stdout=subprocess.PIPE).stdout
    rows = json.loads(told)["rows"]
    file = next(row for row in rows if row["recipe"] == recipe and row["metric"] == "size_bytes")
    data = next(row for row in rows if row["model"] is None)
    return _folder(file), _folder(data)


def in_benchmark(*words: object) -> dict[str, Any]:
    """Run inbenchmark.py where tflite-runtime is; return what it found."""
    return inside("benchmark", "inbenchmark.py", *words)


def inside(name: str, script: str, *words: object) -> dict[str, Any]:
    """Run a script beside this one in the environment of an image; return the object that it prints last."""
    image = Environment(name, PROJECT / f"docker/{name}/requirements.lock", STATE / "environments")
    image.ensure(print)
    command = [image.python, PROJECT / "benchmarks" / script, *map(str, words)]
    surrounding = {**os.environ, "PYTHONPATH": str(PROJECT)}  # a script may start others of the project's modules
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=surrounding)
    found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return found


def _folder(row: dict[str, Any]) -> Path:
    home = Path(os.environ.get("CORALLINE_ARTIFACTS", PROJECT / "artifacts"))
    return home / "objects" / str(row["artifact"])
