"""The benchmark stage: one file on one runtime, its accuracy over the whole test split and its latency per image.

The runtime is found by its name at run time, so that a changed one is part of the code of its own steps alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

from stages.benchmark import guard, trouble
from stages.benchmark.predict import predict
from stages.benchmark.timing import time_image
from stages.contract import InputError, Step, run, write_json
from stages.images import quoted
from stages.tasks import task_of

if TYPE_CHECKING:
    from stages.benchmark.runtime import Runtime
    from stages.images import Pixels
    from stages.tasks import Task

NAMED = 12  # classes in a message


def main(step: Step) -> None:
    """Measure; with a runtime whose library may end the process, in a child."""
    if step.parameters["runtime"] in guard.FRAGILE and not guard.is_child():
        guard.supervise(step)
        return
    with trouble.told(step):
        measure_all(step)


def measure_all(step: Step) -> None:
    """Measure latency first, alone, where the runtime can, then accuracy on all threads."""
    task = task_of(step.parameters["model"], step)
    rows = task.images.rows("test")
    runtime = open_runtime(step)
    check_classes(runtime, task)
    latency, document = time(step, runtime, lambda: task.images.load(rows[0], runtime.input_size))
    outputs, recalled = predict(step, runtime, task.images, rows)
    accuracy = task.evaluate(rows, outputs, runtime.input_size)
    memory = examine(step, runtime)
    write_json(step.out / "accuracy.json", accuracy.document())
    task.write_predictions(step.out, rows, outputs, runtime.input_size)
    step.record(accuracy.numbers() + latency + memory, facts(runtime, document, recalled))


def time(
    step: Step, runtime: Runtime, image: Callable[[], Pixels]
) -> Tuple[List[Dict[str, Any]], Optional[Dict[str, Any]]]:
    """Measure latency, write `latency.json`; return the numbers of the record, and that document where there is one."""
    if runtime.single is None:
        return [], None
    numbers, document = time_image(step, runtime, runtime.single, image())
    write_json(step.out / "latency.json", document)
    return numbers, document


def examine(step: Step, runtime: Runtime) -> List[Dict[str, Any]]:
    """Measure memory and execution where the runtime can, write `execution.json`; return the numbers of the record."""
    if runtime.examine is None:
        return []
    numbers, document = runtime.examine()
    write_json(step.out / "execution.json", document)
    return numbers


def facts(runtime: Runtime, latency: Optional[Dict[str, Any]], recalled: int) -> Dict[str, Any]:
    """Describe the measurement for the record; predictions of an attempt that died are named as such."""
    resumed = {"predictions_of_an_earlier_attempt": recalled} if recalled else {}
    return {"runtime": runtime.facts, **({"latency": latency} if latency else {}), **resumed}


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


def check_classes(runtime: Runtime, task: Task) -> None:
    """Demand a network that was made for this data set.

    Raises:
        InputError: its classes are others, or in another order.
    """
    if runtime.classes != list(task.classes):
        raise InputError(
            "the network knows the classes %s, the data set has %s"
            % (quoted(runtime.classes, NAMED), quoted(task.classes, NAMED)),
            "train on this data set",
        )


if __name__ == "__main__":
    run(main)
