"""Runtimes whose library may end the whole process run in a child, so that somebody is left to say what happened.

libedgetpu aborts on a failed USB transfer (google-coral/edgetpu issues 11, 70, 297, 413; google-coral/libedgetpu issue
41), and one that was built for another TFLite crashes (google-coral/edgetpu issue 660). Neither can be caught in
Python. The child does the whole step: what is timed is timed where it runs, without a pipe in between.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Dict, List, Tuple

from stages.benchmark import sticks
from stages.benchmark.trouble import WRONG_INPUT, tell

if TYPE_CHECKING:
    from stages.contract import Step

FRAGILE = ("edgetpu",)  # the runtimes that this is for
GUARDED = "CORALLINE_GUARDED"
ROOT = Path("/")
LOST = (
    "see that the stick has power (a port of the machine itself, or a hub with its own supply: it takes up to 900 mA), "
    "try another cable and another USB 3 port, take it out for ten seconds, and run again"
)
# Signals that the library's end shows in, what they mean, and what to do about them.
DEATHS: Dict[int, Tuple[str, str]] = {
    signal.SIGABRT: ("libedgetpu gave up on a USB transfer", LOST),
    signal.SIGBUS: ("libedgetpu crashed", LOST),
    signal.SIGSEGV: (
        "libedgetpu crashed, as it does beside a TFLite runtime that it was not built for",
        "build the image again (./run image.build benchmark-edgetpu); if the stick blinks: " + LOST,
    ),
    signal.SIGILL: (
        "this processor lacks instructions that the vendor's packages use",
        "measure on a newer x86-64 processor",
    ),
}


def is_child() -> bool:
    """Whether this process is the child already."""
    return os.environ.get(GUARDED) == "1"


def supervise(step: Step, module: str = "stages.benchmark") -> None:
    """Do this step in a child, which writes its outputs and events; return when it made them.

    A child that found something wrong has said so itself. When its library ended it, or its stick went away, that is
    said here, and the step ends with exit code 2; any other crash stays one.
    """
    step.events.flush()
    variables = {name: value for name, value in os.environ.items() if name != "CORALLINE_LEASH"}  # we hold the leash
    before = _ports()
    code = subprocess.call(
        [sys.executable, "-m", module],
        stdin=subprocess.DEVNULL,
        stdout=step.events.fileno(),
        env={**variables, GUARDED: "1"},
    )
    if code == 0:
        return
    gone = [port for port in before if port not in _ports()]
    if -code in DEATHS or (gone and code != WRONG_INPUT):
        _tell_loss(step, code, gone)
    sys.exit(code if code > 0 else 128 - code)


def _tell_loss(step: Step, code: int, gone: List[str]) -> None:
    what, remedy = DEATHS.get(-code, ("it was unplugged, or reset itself", LOST))
    how = signal.Signals(-code).name if code < 0 else "exit code %d" % code
    where = "port %s is empty now" % gone[0] if gone else "it is still on the bus"
    tell(step, "the Edge TPU was lost while it worked: %s (%s; %s)%s" % (what, how, where, _kept(step)), remedy)


def _kept(step: Step) -> str:
    """Say that something of the step is left to go on from, if so."""
    if step.partial is None or not any(step.partial.iterdir()):
        return ""
    return "; the predictions made so far are kept, and the same command goes on from there"


def _ports() -> List[str]:
    return [stick.port for stick in sticks.find_sticks(ROOT)]
