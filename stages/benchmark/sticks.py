"""The Edge TPU sticks on this machine's USB as sysfs shows them, which a container shares with its host.

Opens none. A stick is known by its port: at its first use it leaves the bus and comes back with another identity and
device number.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

from stages.benchmark.trouble import DeviceError

FACTS: Dict[str, Any] = json.loads(Path(__file__).with_name("edgetpu_usb.json").read_text(encoding="utf-8"))
BOOT, READY = "boot", "ready"
CHOSEN = "CORALLINE_STICK"  # the port of the stick that the host holds for this step
SUPERSPEED_MBIT_S = 5000  # USB 3.2 specification, section 3.2
POLL_S = 0.05
REMEDY = "plug a Coral USB Accelerator in and run again, or leave out --edgetpu"
RESET = "take the stick out for ten seconds, put it into another USB 3 port of the machine itself, and run again"


@dataclass(frozen=True)
class Stick:
    """One stick: `port` is its name in sysfs, `state` is `boot` (no firmware yet) or `ready`."""

    port: str
    speed_mbit_s: float
    state: str

    def document(self) -> Dict[str, Any]:
        """Describe it for records."""
        return {
            "port": self.port,
            "speed_mbit_s": self.speed_mbit_s,
            "usb": 3 if self.speed_mbit_s >= SUPERSPEED_MBIT_S else 2,
        }


def find_sticks(root: Path) -> List[Stick]:
    """List the sticks on the bus by port; one that comes or goes meanwhile is left out."""
    return sorted(_sticks(root), key=lambda stick: stick.port)


def choose(sticks: List[Stick], port: Optional[str]) -> Stick:
    """Return the stick at the port that the host holds for this step, or the first one when it names none.

    Raises:
        DeviceError: it is not there.
    """
    if not sticks:
        raise DeviceError("no Edge TPU is attached to this machine's USB", REMEDY)
    if not port:
        return sticks[0]
    for stick in sticks:
        if stick.port == port:
            return stick
    raise DeviceError(
        "the Edge TPU at port %s is gone; there are sticks at %s" % (port, ", ".join(stick.port for stick in sticks)),
        "run again",
    )


def wait_until_ready(
    port: str,
    look: Callable[[], List[Stick]],
    limit_s: float = FACTS["returns_within_s"],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Stick:
    """Return the stick at `port` once its firmware runs; while it changes its identity it is away for a moment.

    Raises:
        DeviceError: it is not back within the limit, or shows its boot identity still.
    """
    deadline = clock() + limit_s
    while True:
        seen = next((stick for stick in look() if stick.port == port), None)
        if seen is not None and seen.state == READY:
            return seen
        if clock() >= deadline:
            what = "is gone from the bus" if seen is None else "did not take its firmware"
            raise DeviceError("the Edge TPU at port %s %s (%g s)" % (port, what, limit_s), RESET)
        sleep(POLL_S)


def _sticks(root: Path) -> Iterator[Stick]:
    states = {(FACTS[state]["vendor"], FACTS[state]["product"]): state for state in (BOOT, READY)}
    for entry in (root / "sys/bus/usb/devices").glob("*"):
        state = states.get((_word(entry / "idVendor"), _word(entry / "idProduct")))
        if state is not None:
            yield Stick(entry.name, _number(_word(entry / "speed")), state)


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return 0.0


def _word(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip().lower()
    except (OSError, UnicodeDecodeError):
        return ""
