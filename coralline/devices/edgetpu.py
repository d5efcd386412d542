"""The Edge TPU sticks of this host: on which port, how fast, with firmware or without, and whether we may open them.

A stick has two identities and goes from one to the other at its first use: it leaves the bus and comes back at the
same port under another device number. So a stick is named by its port here, never by its number. Opens no stick.
"""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline.catalogue import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

SUPERSPEED_MBIT_S = 5000  # USB 3.2 specification, section 3.2: 5 Gbit/s is the slowest SuperSpeed rate
RESET = "take it out for ten seconds, put it into another USB 3 port of the machine itself, and run again"


class State(StrEnum):
    """Which of its two identities a stick shows: without firmware, or with it."""

    BOOT = "boot"
    READY = "ready"


class Access(StrEnum):
    """Whether this user may open a stick's device node, or why that cannot be told."""

    OPEN = "open"
    CLOSED = "closed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stick:
    """One stick as sysfs shows it now; `port` is its sysfs name, such as `2-1.4`, and outlives `device`."""

    port: str
    bus: int
    device: int
    speed_mbit_s: float
    state: State
    node: Path
    access: Access

    @property
    def is_superspeed(self) -> bool:
        """Whether it hangs on USB 3."""
        return self.speed_mbit_s >= SUPERSPEED_MBIT_S


@functools.cache
def known() -> dict[str, Any]:
    """Return identities, udev rules and delays of the stick, with their sources."""
    told: dict[str, Any] = json.loads((PROJECT / "stages/benchmark/edgetpu_usb.json").read_text(encoding="utf-8"))
    return told


def find(root: Path = Path("/")) -> list[Stick]:
    """Return the sticks on the bus, by port. One that comes or goes meanwhile is left out."""
    return sorted(_sticks(root), key=lambda stick: stick.port)


def usable(root: Path = Path("/")) -> list[Stick]:
    """Return the sticks to measure on: those that we may open, of these the fastest on the bus.

    Numbers of a stick on USB 2 must never stand for one on USB 3, so slower ones are left alone.
    """
    ours = [stick for stick in find(root) if stick.access is Access.OPEN]
    fastest = max((stick.speed_mbit_s for stick in ours), default=0)
    return [stick for stick in ours if stick.speed_mbit_s == fastest]


def identity(root: Path = Path("/")) -> str:
    """Return the bus speed of the stick that would be measured, which decides more than anything else."""
    return "".join(f"{stick.speed_mbit_s:g}" for stick in usable(root)[:1])


def trouble(root: Path = Path("/")) -> str | None:
    """Say why no stick can be used, or None."""
    sticks = find(root)
    if not sticks:
        return "no Edge TPU on USB (looked for 1a6e:089a and 18d1:9302)"
    if usable(root):
        return None
    first = sticks[0]
    if first.access is Access.ABSENT:
        return f"the Edge TPU at port {first.port} has no device node {first.node}"
    return f"the Edge TPU at port {first.port} is closed to this user (no permission to write {first.node})"


def remedy(root: Path = Path("/")) -> str:
    """Say what to do about what `trouble` says."""
    sticks = find(root)
    if not sticks:
        return "plug the accelerator into a USB 3 port"
    if any(stick.access is Access.CLOSED for stick in sticks):
        return rule_remedy()
    return "give this machine the USB bus: /dev/bus/usb is empty (in a container or virtual machine, pass the port)"


def rule_remedy() -> str:
    """Say how to install the udev rule: the stick belongs to root until a rule gives it to a group."""
    rules = "\n".join(f"  {line}" for line in known()["udev_rules"])
    return (
        f"write these two lines to {known()['udev_file']}:\n{rules}\n"
        "then, as root: `udevadm control --reload-rules`, `usermod -aG plugdev USER` (groupadd plugdev where there is "
        "none); log in again and plug the stick in again"
    )


def _sticks(root: Path) -> Iterator[Stick]:
    states = {(known()[str(state)]["vendor"], known()[str(state)]["product"]): state for state in State}
    for entry in (root / "sys/bus/usb/devices").glob("*"):
        state = states.get((_word(entry / "idVendor"), _word(entry / "idProduct")))
        bus, device, speed = (_word(entry / name) for name in ("busnum", "devnum", "speed"))
        if state is None or not (bus.isdecimal() and device.isdecimal()):
            continue
        node = Path("dev/bus/usb", f"{int(bus):03}", f"{int(device):03}")
        yield Stick(
            port=entry.name,
            bus=int(bus),
            device=int(device),
            speed_mbit_s=_number(speed),
            state=state,
            node=Path("/") / node,
            access=_access(root / node),
        )


def _access(node: Path) -> Access:
    try:
        mode = node.stat().st_mode
    except OSError:
        return Access.ABSENT
    if not mode & 0o666:  # so do copies of another machine's nodes say it, to root too
        return Access.CLOSED
    return Access.OPEN if os.access(node, os.R_OK | os.W_OK) else Access.CLOSED


def _number(word: str) -> float:
    try:
        return float(word)  # sysfs says 1.5 for low speed
    except ValueError:
        return 0.0


def _word(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip().lower()
    except (OSError, UnicodeDecodeError):
        return ""
