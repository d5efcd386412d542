"""litert-cpu: the same TFLite file in LiteRT, the successor of tflite-runtime, on the CPU."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING

from ai_edge_litert.interpreter import Interpreter

from stages.benchmark import execution
from stages.benchmark.on_cpu import open_on_cpu

if TYPE_CHECKING:
    from stages.benchmark.runtime import Runtime
    from stages.contract import Step


def open_runtime(step: Step) -> Runtime:
    """Load the file into LiteRT's interpreter, which applies XNNPACK to 8-bit operators too."""
    opened = open_on_cpu(step, Interpreter, {"litert": metadata.version("ai-edge-litert")})
    return replace(opened, examine=lambda: execution.examine(step.inputs["model"] / "model.tflite"))
