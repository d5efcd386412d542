"""tflite-cpu: a TFLite file in tflite-runtime on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tflite_runtime
from tflite_runtime.interpreter import Interpreter

from stages.benchmark.on_cpu import open_on_cpu

if TYPE_CHECKING:
    from stages.benchmark.runtime import Runtime
    from stages.contract import Step


def open_runtime(step: Step) -> Runtime:
    """Load the file into the interpreter that the vendor of the Edge TPU names."""
    return open_on_cpu(step, Interpreter, {"tflite_runtime": tflite_runtime.__version__})
