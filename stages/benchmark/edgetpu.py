"""edgetpu: a compiled TFLite file on a USB Edge TPU, through libedgetpu. Never on the CPU in its place.

Without the delegate the file cannot run at all: its one operator is unknown to the interpreter.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, List

import tflite_runtime
from pycoral.utils.edgetpu import get_runtime_version, list_edge_tpus
from tflite_runtime.interpreter import Interpreter, load_delegate

from stages.benchmark.interpreter import TIMED, open_network, read_conversion
from stages.benchmark.runtime import Runtime
from stages.contract import InputError

if TYPE_CHECKING:
    from stages.contract import Step

LIBRARY = "libedgetpu.so.1"
REMEDY = "plug a Coral USB Accelerator in and run again, or leave out --edgetpu"


def open_runtime(step: Step) -> Runtime:
    """Load the compiled file onto the stick; one stick is one worker.

    Raises:
        InputError: there is no stick, or it cannot be opened.
    """
    sticks = find_sticks()
    delegate = open_delegate()
    path = os.fspath(step.inputs["model"] / "model_edgetpu.tflite")
    conversion = read_conversion(step.inputs["model"] / "compile.json")
    network, load_ms = open_network(
        lambda: Interpreter(path, experimental_delegates=[delegate], num_threads=step.parameters["threads"])
    )
    return Runtime(
        classes=conversion["classes"],
        input_size=conversion["input_size"],
        load_ms=load_ms,
        timed=TIMED,
        single=network.single,
        workers=[network.predict],
        facts={
            "tflite_runtime": tflite_runtime.__version__,
            "edgetpu_runtime": get_runtime_version(),
            "kernels": "Edge TPU",
            "sticks": sticks,
        },
    )


def find_sticks() -> List[Dict[str, str]]:
    """List the USB sticks that the runtime sees.

    Raises:
        InputError: there is none.
    """
    sticks = [
        {name: str(value) for name, value in stick.items()} for stick in list_edge_tpus() if stick["type"] == "usb"
    ]
    if not sticks:
        raise InputError("no Edge TPU is attached to this machine's USB", REMEDY)
    return sticks


def open_delegate() -> Any:
    """Open the stick.

    Raises:
        InputError: the library refuses; it does not say why.
    """
    try:
        return load_delegate(LIBRARY, {"device": "usb"})
    except (ValueError, OSError) as error:
        raise InputError("the Edge TPU cannot be opened (%s)" % (str(error) or "no reason given"), REMEDY) from error
