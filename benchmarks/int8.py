"""What full int8 costs in accuracy: several draws of calibration images, the searched conversion beside the stock one.

    .coralline/host/bin/python benchmarks/int8.py --models resnet50v2,efficientnetv2b0 --seeds 1,2,3,4,5

Runs `./run all --profile bench` once for each seed (what is there already is reused, so it can be ended and taken up)
and reads the balanced accuracies on the test split from `./run results --json`. Goal: at most 0.010 below float32 for
every seed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from typing import Any

from measure import PROJECT, commit
from tabulate import tabulate

from coralline import host

INT8 = ("ptq-int8-stock", "ptq-int8", "qat-int8", "qat-int8-paper")


def main() -> None:
    """Run every seed and print one line for each model and seed."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--models", default="all")
    asked.add_argument("--seeds", default="1,2,3,4,5")
    asked.add_argument("--recipes", default="float32,ptq-int8-stock,ptq-int8")
    asked.add_argument("--engine", default="auto")
    told = asked.parse_args()
    lines = []
    for seed in told.seeds.split(","):
        words = ("--profile", "bench", "--model", told.models, "--recipes", told.recipes, "--engine", told.engine)
        _run("all", *words, "--only", "benchmark", "--set", f"convert.calibration_seed={seed}")
        lines += _lines(int(seed), _accuracies(json.loads(_run("results", "--json"))))
    print(tabulate(lines, headers="keys", floatfmt="+.4f", tablefmt="github"))
    print(json.dumps({"benchmark": "int8", "machine": host.facts(), "commit": commit(), "lines": lines}))


def _run(*words: str) -> str:
    return subprocess.run([PROJECT / "run", *words], check=True, stdout=subprocess.PIPE, text=True).stdout


def _accuracies(results: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Balanced accuracy by model and recipe, on the CPU by TFLite."""
    found: dict[str, dict[str, float]] = {}
    for row in results["rows"]:
        if row["metric"] == "balanced_accuracy" and row["runtime"] == "tflite-cpu":
            found.setdefault(row["model"], {})[row["recipe"]] = row["value"]
    return found


def _lines(seed: int, found: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    return [
        {
            "model": model,
            "seed": seed,
            "float32": f"{by_recipe['float32']:.4f}",
            **{recipe: by_recipe[recipe] - by_recipe["float32"] for recipe in INT8 if recipe in by_recipe},
        }
        for model, by_recipe in sorted(found.items())
    ]


if __name__ == "__main__":
    sys.exit(main())
