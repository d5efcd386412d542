"""What this machine is: the facts that go into records, and the fingerprint that measurements carry in their key."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from pathlib import Path


@functools.cache
def facts() -> dict[str, str | int]:
    """Processor, cores, memory and kernel of this host; nothing that names it."""
    return {
        "cpu_model": _field(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        "cpu_flags_sha256": hashlib.sha256(_field(Path("/proc/cpuinfo"), "flags").encode()).hexdigest()[:16],
        "cores": cores(),
        "memory_kib": int((_field(Path("/proc/meminfo"), "MemTotal") or "0").split()[0]),
        "kernel": platform.release(),
        "machine": platform.machine(),
    }


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def fingerprint(device: str = "") -> str:
    """Stand for this machine, and the device measured, in keys: numbers of another are never reused as its own."""
    told = facts()
    identity = _read(Path("/etc/machine-id")).strip()
    text = "|".join((identity, str(told["cpu_model"]), str(told["cpu_flags_sha256"]), str(told["cores"]), device))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _field(path: Path, name: str) -> str:
    for line in _read(path).splitlines():
        label, colon, value = line.partition(":")
        if colon and label.strip() == name:
            return value.strip()
    return ""
