"""edgetpu: a compiled TFLite file on a USB Edge TPU, through libedgetpu. Never on the CPU in its place.

Without the delegate the file cannot run at all: its one operator is unknown to the interpreter. Runs in a child of the
step (`guard.py`), because libedgetpu ends its process when a transfer fails.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Tuple

import tflite_runtime
from pycoral.utils.edgetpu import get_runtime_version, list_edge_tpus
from tflite_runtime.interpreter import Interpreter, load_delegate

from stages.benchmark import libedgetpu, sticks
from stages.benchmark.interpreter import TIMED, open_network, read_conversion
from stages.benchmark.runtime import Runtime
from stages.benchmark.trouble import DeviceError

if TYPE_CHECKING:
    from stages.benchmark.sticks import Stick
    from stages.contract import Step

LIBRARY = "libedgetpu.so.1"
ROOT = Path("/")
BUSY = "see that no other program uses it (one process owns a stick), then %s" % sticks.RESET


def open_runtime(step: Step) -> Runtime:
    """Load the compiled file onto the stick; one stick is one worker.

    Raises:
        DeviceError: there is no stick, or it cannot be opened.
    """
    stick, delegate = open_stick()
    if stick.document()["usb"] < 3:
        step.warning("the stick hangs on USB 2 (%g Mbit/s): expect far higher latency" % stick.speed_mbit_s)
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
        facts={"tflite_runtime": tflite_runtime.__version__, "kernels": "Edge TPU", **facts(stick)},
    )


def open_stick() -> Tuple[Stick, Any]:
    """Return the stick that the host holds for this step, its firmware running, and its delegate.

    Raises:
        DeviceError: it is not there, does not take its firmware, or cannot be opened.
    """
    found = sticks.choose(sticks.find_sticks(ROOT), os.environ.get(sticks.CHOSEN))
    stick = found if found.state == sticks.READY else wake(found)
    return stick, open_delegate(device_word(stick))


def facts(stick: Stick) -> Dict[str, Any]:
    """Say which stick and which library ran, for records."""
    return {
        "edgetpu_runtime": get_runtime_version(),
        "edgetpu_variant": libedgetpu.variant(ROOT),
        "stick": stick.document(),
        "sticks": usb_sticks(),
    }


def wake(stick: Stick) -> Stick:
    """Have the firmware loaded by a process that does nothing else, and wait for the stick to come back.

    Whoever loads the firmware loses the stick when it leaves the bus, and in a container does not always find it
    again (google-coral/edgetpu issue 536): the next process does.
    """
    command = [sys.executable, "-m", "stages.benchmark.wake", device_word(stick)]
    limit_s = sticks.FACTS["returns_within_s"]
    with contextlib.suppress(subprocess.TimeoutExpired):  # what counts is what the bus shows
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, timeout=limit_s, check=False)
    return sticks.wait_until_ready(stick.port, lambda: sticks.find_sticks(ROOT))


def device_word(stick: Stick) -> str:
    """Name the stick as libedgetpu does: by its place among the USB sticks that it lists.

    Raises:
        DeviceError: the library does not list it.
    """
    ports = [Path(known["path"]).name for known in usb_sticks()]
    if stick.port not in ports:
        raise DeviceError("the Edge TPU at port %s is not listed by libedgetpu" % stick.port, sticks.RESET)
    return "usb:%d" % ports.index(stick.port)


def usb_sticks() -> List[Dict[str, str]]:
    """List the USB sticks that the library sees."""
    return [{name: str(value) for name, value in known.items()} for known in list_edge_tpus() if known["type"] == "usb"]


def open_delegate(device: str) -> Any:
    """Open the stick.

    Raises:
        DeviceError: the library refuses; it does not say why.
    """
    try:
        return load_delegate(LIBRARY, {"device": device})
    except (ValueError, OSError) as error:
        raise DeviceError("the Edge TPU cannot be opened (%s)" % (str(error) or "no reason given"), BUSY) from error
