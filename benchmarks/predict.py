"""Predicted latencies of the USB Accelerator beside published ones, for networks that Keras can build.

    .coralline/host/bin/python benchmarks/predict.py

Builds the networks of published.json with random weights, converts them to int8 files (minutes, once) and fits the two
free constants of the model, to all networks and to all but each. Goals: a mean error of at most 10 % in the sample and
15 % for networks that are left out; rank correlation at least 0.97.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import HOME, PROJECT, Environment, commit
from tabulate import tabulate

from coralline.engines import HOME as STATE


def main() -> None:
    """Make what is missing, and print the table."""
    folder = HOME / "predict"
    _run("convert", "networks.py", str(folder))
    found = json.loads(_run("benchmark", "latencyfit.py", str(folder)))
    lines = [
        {
            "network": row["network"],
            "source": row["source"],
            "published, ms": row["published_ms"],
            "predicted, ms": round(row["fitted_ms"], 1),
            "left out, ms": round(row["left_out_ms"], 1),
            "error, %": round(100 * (row["left_out_ms"] / row["published_ms"] - 1)),
            "parameters, MB": round(row["parameter_bytes"] / 1e6, 1),
            "bound by": row["bound"],
            "": "not fitted" if row["doubt"] else "",
        }
        for row in found["rows"]
    ]
    print(tabulate(lines, headers="keys", tablefmt="github"))
    for row in found["rows"]:
        if row["doubt"]:
            print(f"{row['network']}: {row['doubt']}")
    print(json.dumps({"benchmark": "predict", "commit": commit(), **{k: v for k, v in found.items() if k != "rows"}}))


def _run(image: str, script: str, *words: str) -> str:
    """Run one of the scripts beside this one in an image's environment; return what it printed."""
    where = Environment(image, PROJECT / "docker" / image / "requirements.lock", STATE / "environments")
    where.ensure(lambda text: print(text, file=sys.stderr))
    command = [where.python, PROJECT / "benchmarks" / script, *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
