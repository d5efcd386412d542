"""What full int8 costs in accuracy: several draws of calibration images, the searched conversion beside the stock one.

    .coralline/host/bin/python benchmarks/int8.py --seeds 1,2,3,4,5

Runs `./run all --profile bench` once for each seed with the paper's models or those that --models names (what is there
already is reused, so it can be ended and taken up) and reads the balanced accuracies on the test split from
`./run results --json`: with each kind of kernels, against float32 with the same. Goal: ptq-int8 at most 0.010 below for
every seed with either; ends with 1 where it is missed. What else is given goes to `./run all`: other events and weights
with --set dataset.seed=2 --set train.seed=2, or with --data FOLDER --init FILE.h5 --set train.epochs=0.
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

from coralline import catalogue, host

KERNELS = {"tflite-cpu": "built-in", "litert-cpu": "XNNPACK"}  # of the runtimes
LARGEST_LOSS = 0.010
INT8 = ("ptq-int8-stock", "ptq-int8", "qat-int8", "qat-int8-paper")


def main() -> int:
    """Run every seed and print one line for each model and seed; return 1 where the goal is missed."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    asked.add_argument("--models", default=",".join(catalogue.specs()["paper"].all_models))
    asked.add_argument("--seeds", default="1,2,3,4,5")
    asked.add_argument("--recipes", default="float32,ptq-int8-stock,ptq-int8")
    asked.add_argument("--engine", default="auto")
    options, further = asked.parse_known_args()
    lines = []
    for seed in options.seeds.split(","):
        words = (
            "--profile",
            "bench",
            "--model",
            options.models,
            "--recipes",
            options.recipes,
            "--engine",
            options.engine,
            *further,
        )
        _run("all", *words, "--only", "benchmark", "--set", f"convert.calibration_seed={seed}")
        lines += _lines(int(seed), _accuracies(json.loads(_run("results", "--json"))))
    print(tabulate(lines, headers="keys", floatfmt="+.4f", tablefmt="github"))
    worst = min((value for line in lines for name, value in line.items() if name.startswith("ptq-int8, ")), default=0.0)
    print(f"worst of ptq-int8: {worst:+.4f} (goal: no less than {-LARGEST_LOSS:+.3f})")
    told = {"benchmark": "int8", "machine": host.facts(), "commit": commit(), "lines": lines, "worst": worst}
    print(json.dumps(told))
    return int(worst < -LARGEST_LOSS)


def _run(*words: str) -> str:
    return subprocess.run([PROJECT / "run", *words], check=True, stdout=subprocess.PIPE, text=True).stdout


def _accuracies(results: dict[str, Any]) -> dict[str, dict[tuple[str, str], float]]:
    """Balanced accuracies on the CPU of each model, by recipe and kernels."""
    found: dict[str, dict[tuple[str, str], float]] = {}
    for row in results["rows"]:
        if row["metric"] == "balanced_accuracy" and row["runtime"] in KERNELS:
            found.setdefault(row["model"], {})[row["recipe"], KERNELS[row["runtime"]]] = row["value"]
    return found


def _lines(seed: int, found: dict[str, dict[tuple[str, str], float]]) -> list[dict[str, Any]]:
    return [
        {
            "model": model,
            "seed": seed,
            "float32": f"{measured['float32', 'built-in']:.4f}",
            **{
                f"{recipe}, {kernels}": measured[recipe, kernels] - measured["float32", kernels]
                for recipe in INT8
                for kernels in KERNELS.values()
                if (recipe, kernels) in measured
            },
        }
        for model, measured in sorted(found.items())
    ]


if __name__ == "__main__":
    sys.exit(main())
