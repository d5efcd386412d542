"""The benchmark stage: one file on one runtime, its accuracy over the whole test split and its latency per image.

The runtime is found by its name at run time, so that a changed one is part of the code of its own steps alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Dict, Tuple

from stages.benchmark import guard, trouble
from stages.benchmark.accuracy import evaluate
from stages.benchmark.latency import NS_PER_MS, Latency, measure
from stages.benchmark.load import LoadMeter, machine, remarks
from stages.benchmark.predict import predict
from stages.benchmark.predictions import write_predictions
from stages.contract import InputError, Step, run, write_json
from stages.images import ImageSet

if TYPE_CHECKING:
    from stages.benchmark.runtime import Runtime

VERSION = 1


def main(step: Step) -> None:
    """Measure; with a runtime whose library may end the process, in a child."""
    if step.parameters["runtime"] in guard.FRAGILE and not guard.is_child():
        guard.supervise(step)
        return
    with trouble.told(step):
        measure_all(step)


def measure_all(step: Step) -> None:
    """Measure latency first, alone and on the threads asked for, then accuracy on all threads."""
    images = ImageSet.read(step)
    rows = images.rows("test")
    runtime = open_runtime(step)
    check_classes(runtime, images)
    latency, document = time_one_image(step, runtime, images)
    probabilities, recalled = predict(step, runtime, images, rows)
    accuracy = evaluate([row.label for row in rows], probabilities.argmax(axis=1).tolist(), images.classes)
    write_json(step.out / "latency.json", document)
    write_json(step.out / "accuracy.json", accuracy.document())
    write_predictions(step.out / "predictions.csv", rows, probabilities)
    step.record(accuracy.numbers() + latency.numbers(), facts(runtime, document, recalled))


def facts(runtime: Runtime, latency: Dict[str, Any], recalled: int) -> Dict[str, Any]:
    """Describe the measurement for the record; predictions of an attempt that died are named as such."""
    resumed = {"predictions_of_an_earlier_attempt": recalled} if recalled else {}
    return {"runtime": runtime.facts, "latency": latency, **resumed}


def open_runtime(step: Step) -> Runtime:
    """Load the network in the step's runtime.

    Raises:
        InputError: there is no such runtime, or it cannot run this file here.
    """
    name = step.parameters["runtime"]
    module = "stages.benchmark.%s" % name.replace("-", "_")
    try:
        opened: Runtime = importlib.import_module(module).open_runtime(step)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise InputError("no such runtime '%s'" % name, "`./run stages` lists them") from error
    return opened


def check_classes(runtime: Runtime, images: ImageSet) -> None:
    """Demand a network that was made for this data set.

    Raises:
        InputError: its classes are others, or in another order.
    """
    if runtime.classes != list(images.classes):
        raise InputError(
            "the network knows the classes %s, the data set has %s"
            % (", ".join(runtime.classes), ", ".join(images.classes)),
            "train on this data set",
        )


def time_one_image(step: Step, runtime: Runtime, images: ImageSet) -> Tuple[Latency, Dict[str, Any]]:
    """Time the first test image and describe the measurement for `latency.json`."""
    step.progress(0, 1, "measurement", "latency")
    wanted = {name: step.parameters[name] for name in ("warmup_runs", "min_runs", "min_seconds")}
    infer = runtime.single(images.load(images.rows("test")[0], runtime.input_size))
    meter = LoadMeter()
    latency = measure(infer, **wanted)
    host, load = machine(), meter.read()
    doubts = latency.remarks() + remarks(load, host["governor"])
    for doubt in doubts:
        step.warning("latency is uncertain: %s" % doubt)
    step.progress(1, 1, "measurement", "latency")
    return latency, {
        "schema": "coralline.latency",
        "version": VERSION,
        **wanted,
        "timed": runtime.timed,
        "threads": step.parameters["threads"],
        "runs": len(latency.runs_ns),
        "milliseconds": latency.milliseconds(),
        "spread": latency.spread(),
        "model_load_ms": runtime.load_ms,
        "first_inference_ms": latency.first_ns / NS_PER_MS,
        "machine": host,
        "load": load,
        "remarks": doubts,
        "runtime": runtime.facts,
    }


if __name__ == "__main__":
    run(main)
