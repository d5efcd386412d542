"""What the machine under a worker offers to steps, and which machine it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coralline import devices, host
from coralline.pool import is_alone

if TYPE_CHECKING:
    from coralline.graph import Step

ROOM = "room"  # all of a machine; a step that takes one core takes a share that never fills it: threads limit these
SHARE = 2.0**-10  # a power of two: what is taken and given back adds up exactly
MEMORY = "memory"  # whole GiB, for the same reason
DEVICES = ("gpu", "edgetpu")


def offered(memory_gib: int | None = None) -> dict[str, float]:
    """Return what this machine has for steps; `memory_gib` where it may not use all of its memory."""
    whole = int(host.facts()["memory_kib"]) >> 20
    present = {name: 1.0 for name in DEVICES if devices.missing(name) is None}
    return {ROOM: 1.0, MEMORY: float(whole if memory_gib is None else memory_gib), **present}


def wanted(step: Step, most_memory_gib: float) -> dict[str, float]:
    """Return what a step takes of a machine, and no more memory than the largest machine has."""
    asked = {ROOM: 1.0 if is_alone(step) else SHARE, MEMORY: min(float(-(-step.spec.memory_gib // 1)), most_memory_gib)}
    return asked | ({step.variant.needs: 1.0} if step.variant.needs else {})


def fingerprints() -> dict[str, str]:
    """Return the fingerprints under which this machine measures, without a device (empty) and with each."""
    return {need or "": fingerprint(need) for need in (None, *DEVICES)}


def fingerprint(need: str | None) -> str:
    """Return the fingerprint under which this machine measures with the device that a step needs."""
    return host.fingerprint(devices.identity(need))
