"""What the doctor asks of devices: GPUs, sticks and the udev rule that opens a stick to its user."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from coralline.devices import edgetpu, gpu
from coralline.devices.edgetpu import Access, State
from coralline.doctor.findings import Finding, error, info, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from coralline.devices.edgetpu import Stick
    from coralline.doctor.machine import Machine

RULES = (
    "etc/udev/rules.d",
    "run/udev/rules.d",
    "usr/local/lib/udev/rules.d",
    "usr/lib/udev/rules.d",
    "lib/udev/rules.d",
)
TOOLKIT = ("nvidia-container-runtime", "nvidia-container-cli", "nvidia-ctk")
DRIVER = re.compile(r"Kernel Module(?: for \S+)?\s+(\d[\d.]*)")
MEANING = {State.BOOT: "its firmware is loaded at the first use", State.READY: "its firmware runs"}


def graphics(machine: Machine) -> Iterator[Finding]:
    """Name the GPU's driver, and see that containers can be given the GPU."""
    absent = gpu.trouble(machine.root)
    if absent is not None:
        yield info("gpu", f"{absent}: training runs on the processor")
        return
    version = DRIVER.search(gpu.identity(machine.root))
    yield ok("gpu", f"NVIDIA driver {version[1] if version else 'of unknown version'}")
    path = machine.environ.get("PATH")
    if not any(shutil.which(program, path=path) for program in TOOLKIT):
        yield warning(
            "gpu.containers",
            "the NVIDIA container toolkit is not installed: containers cannot use the GPU",
            "install nvidia-container-toolkit, or use --engine local",
        )


def sticks(machine: Machine, *, demanded: bool = False) -> Iterator[Finding]:
    """Describe every stick; `demanded`: without one that can be used, something is wrong."""
    found = edgetpu.find(machine.root)
    if not found:
        absent = str(edgetpu.trouble(machine.root))
        remedy = edgetpu.remedy(machine.root)
        yield error("stick", absent, remedy) if demanded else info("stick", absent)
    for stick in found:
        yield from _stick(stick, machine, demanded=demanded)


def udev(machine: Machine) -> Iterator[Finding]:
    """See that a udev rule names both identities: the stick changes from one to the other at its first use."""
    wanted = {edgetpu.known()[str(state)]["vendor"] for state in State}
    files = {path: vendors for path in _rule_files(machine.root) if (vendors := wanted & _vendors(path))}
    named = set().union(*files.values())
    remedy = edgetpu.rule_remedy()
    if named == wanted:
        yield ok("udev", "rules for both identities of the stick: " + ", ".join(str(path) for path in files))
    elif named:
        lacking = ", ".join(sorted(wanted - named))
        yield warning("udev", f"no rule for the stick's identity {lacking}: it is lost when it changes to it", remedy)
    else:
        yield info("udev", "no udev rule for the stick: only root may open one", remedy)


def _stick(stick: Stick, machine: Machine, *, demanded: bool) -> Iterator[Finding]:
    usb = f"USB {3 if stick.is_superspeed else 2}, {stick.speed_mbit_s:g} Mbit/s"
    said = f"port {stick.port}, device {stick.device}: {stick.state} ({MEANING[stick.state]}), {usb}"
    if stick.is_superspeed:
        yield ok("stick", said)
    else:
        yield warning("stick", said, "use a USB 3 port and cable: parameters stream ten times slower over USB 2")
    if stick.access is Access.OPEN:
        yield ok("stick.access", f"this user may open {stick.node}")
        return
    what = "is not there" if stick.access is Access.ABSENT else "is closed to this user"
    tell = error if demanded else warning
    yield tell("stick.access", f"{stick.node} {what}", edgetpu.remedy(machine.root))


def _rule_files(root: Path) -> Iterator[Path]:
    seen = set()
    for folder in RULES:
        for path in sorted((root / folder).glob("*.rules")):
            if path.name not in seen:  # of two files of one name the first folder's counts: udev(7)
                seen.add(path.name)
                yield path


def _vendors(path: Path) -> set[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    rules = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return set(re.findall(r'idVendor\}=="([0-9a-fA-F]{4})"', "\n".join(rules)))
