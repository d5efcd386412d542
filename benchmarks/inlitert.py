"""What int4.py measures; runs in the environment of docker/benchmark-litert and prints one JSON object.

    python benchmarks/inlitert.py ROUNDS FILE FILE ...

The files take turns in one process, on one thread: what else happens on the machine falls on all of them alike.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ai_edge_litert.interpreter import Interpreter

from stages.benchmark.execution import examine
from stages.benchmark.load import LoadMeter

RUNS = 20  # of one file before the next has its turn


def main() -> None:
    """Measure memory in fresh processes, then durations in this one."""
    rounds, *names = sys.argv[1:]
    files = {Path(name).stem: Path(name) for name in names}
    told: dict[str, dict[str, Any]] = {name: _memory(path) for name, path in files.items()}
    meter = LoadMeter()
    for name, times in _in_turns(files, int(rounds)).items():
        told[name].update(times)
    print(json.dumps({"files": told, "load": meter.read()}))


def _memory(path: Path) -> dict[str, Any]:
    numbers, document = examine(path)
    found = {number["metric"]: number["value"] for number in numbers}
    kinds = {f"{kind['operator']} {kind['dtype']}": kind["executed_as"] for kind in document["kinds"]}
    return {"file_bytes": path.stat().st_size, **found, "executed_as": kinds}


def _in_turns(files: dict[str, Path], rounds: int) -> dict[str, dict[str, Any]]:
    interpreters = {name: Interpreter(str(path), num_threads=1) for name, path in files.items()}
    for one in interpreters.values():
        one.allocate_tensors()
        one.invoke()
    medians: dict[str, list[float]] = {name: [] for name in files}
    for _ in range(rounds):
        for name, one in interpreters.items():
            medians[name].append(statistics.median(_runs(one)))
    return {name: {"median_ms": statistics.median(found), "rounds_ms": found} for name, found in medians.items()}


def _runs(interpreter: Any) -> list[float]:
    interpreter.invoke()  # the other file's weights are in the caches
    found = []
    for _ in range(RUNS):
        began = time.perf_counter_ns()
        interpreter.invoke()
        found.append((time.perf_counter_ns() - began) / 1e6)
    return found


if __name__ == "__main__":
    main()
