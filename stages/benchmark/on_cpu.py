"""A TFLite file on the CPU in whichever interpreter: the same road for all, so that only their kernels differ."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Tuple

from stages.benchmark.interpreter import TIMED, Network, open_network, read_conversion
from stages.benchmark.kernels import kernels
from stages.benchmark.runtime import Runtime

if TYPE_CHECKING:
    from stages.contract import Step
    from stages.images import Pixels


def open_on_cpu(
    step: Step, interpreter: Callable[..., Any], facts: Dict[str, Any], content: Optional[bytes] = None
) -> Runtime:
    """Load the file once for latency, with the threads asked for, and once a worker with one thread each.

    Where `content` is given, it takes the file's place. On all threads it is loaded when it is measured there: kernels
    pack their weights for each interpreter.
    """
    path = os.fspath(step.inputs["model"] / "model.tflite")
    source: Dict[str, Any] = {"model_path": path} if content is None else {"model_content": content}
    conversion = read_conversion(step.inputs["model"] / "conversion.json")

    def load(threads: int) -> Tuple[Network, float]:
        return open_network(lambda: interpreter(**source, num_threads=threads))

    def on_all_threads(image: Pixels) -> Callable[[], object]:
        return load(step.threads)[0].single(image)

    network, load_ms = load(step.parameters["threads"])
    return Runtime(
        classes=conversion["classes"],
        input_size=conversion["input_size"],
        load_ms=load_ms,
        timed=TIMED,
        single=network.single,
        workers=[load(1)[0].predict for _ in range(max(1, step.threads))],
        facts={**facts, **kernels(network.interpreter)},
        on_all_threads=on_all_threads,
    )
