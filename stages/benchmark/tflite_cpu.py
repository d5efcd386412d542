"""tflite-cpu: a TFLite file in tflite-runtime on the CPU."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict

import tflite_runtime
from tflite_runtime.interpreter import Interpreter

from stages.benchmark.interpreter import TIMED, open_network, read_conversion
from stages.benchmark.runtime import Runtime

if TYPE_CHECKING:
    from stages.contract import Step


def open_runtime(step: Step) -> Runtime:
    """Load the file once for latency, with the threads asked for, and once a worker with one thread each."""
    path = os.fspath(step.inputs["model"] / "model.tflite")
    conversion = read_conversion(step.inputs["model"] / "conversion.json")
    network, load_ms = open_network(lambda: Interpreter(path, num_threads=step.parameters["threads"]))
    workers = [open_network(lambda: Interpreter(path, num_threads=1))[0] for _ in range(max(1, step.threads))]
    return Runtime(
        classes=conversion["classes"],
        input_size=conversion["input_size"],
        load_ms=load_ms,
        timed=TIMED,
        single=network.single,
        workers=[worker.predict for worker in workers],
        facts={"tflite_runtime": tflite_runtime.__version__, **kernels(network.interpreter)},
    )


def kernels(interpreter: Any) -> Dict[str, Any]:
    """Say which kernels compute: XNNPACK is the only delegate that this runtime applies by itself.

    2.14.0 applies it to float operators alone, and 8-bit ones run in the runtime's own kernels, several times slower.
    Several delegated parts have other operators between them.
    """
    operators = [operator["op_name"] for operator in interpreter._get_ops_details()]  # noqa: SLF001 - no public way
    parts = operators.count("DELEGATE")
    names = {0: "built-in", 1: "XNNPACK"}
    return {"kernels": names.get(parts, "XNNPACK and built-in"), "delegated_parts": parts}
