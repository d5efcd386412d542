"""What evaluate.py and harness.py measure; runs in the benchmark environment and prints one JSON object.

    python benchmarks/inbenchmark.py evaluate CONVERT DATASET IMAGES
    python benchmarks/inbenchmark.py harness CONVERT DATASET SECONDS

CONVERT and DATASET are folders of artifacts.
"""

from __future__ import annotations

import io
import json
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import numpy as np  # noqa: E402

from stages.benchmark import tflite_cpu  # noqa: E402
from stages.benchmark.latency import measure  # noqa: E402
from stages.benchmark.predict import predict  # noqa: E402
from stages.contract import Step  # noqa: E402
from stages.images import ImageSet  # noqa: E402

if TYPE_CHECKING:
    from stages.images import Row

CORES = 2
FIXTURE = PROJECT / "tests" / "fixtures" / "edgetpu" / "gabor_64x64_p4.tflite"
CALLS, ROUNDS = 5000, 9
REPEATS = 3


def main() -> None:
    """Measure what was asked for."""
    what, convert, dataset, number = sys.argv[1:]
    step = Step("benchmark", what, {"threads": 1}, 1, _inputs(convert, dataset), Path(), None, events=io.StringIO())
    print(json.dumps({"evaluate": evaluate, "harness": harness}[what](step, int(number))))


def _inputs(convert: str, dataset: str) -> dict[str, Path]:
    return {"model": Path(convert), "dataset": Path(dataset)}


def evaluate(step: Step, count: int) -> dict[str, Any]:
    """Run the same images on one interpreter with one thread and on one for each core, in turns."""
    images = ImageSet.read(step)
    every = [row for split in images.splits.values() for row in split]
    rows = (every * (count // len(every) + 1))[:count]
    seconds: dict[int, list[float]] = {1: [], CORES: []}
    found = {}
    for threads in (1, CORES):
        seconds[threads], found[threads] = _evaluated(step, images, rows, threads)
    runtime = tflite_cpu.open_runtime(step)
    began = time.perf_counter()
    for row in rows[:500]:
        images.load(row, runtime.input_size)
    decoding = (time.perf_counter() - began) / 500
    return {
        "images": count,
        "one_s": seconds[1],
        "all_s": seconds[CORES],
        "speed_up": seconds[1] / seconds[CORES],
        "same_predictions": bool(np.array_equal(found[1], found[CORES])),
        "decoding_share": decoding * count / seconds[1],
    }


def _evaluated(step: Step, images: ImageSet, rows: list[Row], threads: int) -> tuple[float, Any]:
    step.threads = threads
    runtime = tflite_cpu.open_runtime(step)
    began = time.perf_counter()
    found, _ = predict(step, runtime, images, rows)
    return time.perf_counter() - began, found


def harness(step: Step, seconds: int) -> dict[str, Any]:
    """Compare the harness with a bare loop over invoke(), and repeat a measurement of a real file."""
    from tflite_runtime.interpreter import Interpreter

    small = Interpreter(str(FIXTURE))
    small.allocate_tensors()
    bare, timed = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter_ns()
        for _ in range(CALLS):
            small.invoke()
        bare.append((time.perf_counter_ns() - began) / CALLS)
        began = time.perf_counter_ns()
        measure(small.invoke, warmup_runs=0, min_runs=CALLS - 1, min_seconds=0.0)
        timed.append((time.perf_counter_ns() - began) / CALLS)
    images = ImageSet.read(step)
    runtime = tflite_cpu.open_runtime(step)
    infer = runtime.single(images.load(images.rows("test")[0], runtime.input_size))
    runs = [measure(infer, warmup_runs=10, min_runs=100, min_seconds=seconds) for _ in range(REPEATS)]
    medians = [run.milliseconds()["p50"] for run in runs]
    return {
        "invoke_us": statistics.median(bare) / 1000,
        "overhead_us": (statistics.median(timed) - statistics.median(bare)) / 1000,
        "seconds": seconds,
        "p50_ms": medians,
        "p50_spread": max(medians) / min(medians) - 1,
        "remarks": [remark for run in runs for remark in run.remarks()],
    }


if __name__ == "__main__":
    main()
