"""What this machine is: the facts that go into records, and the fingerprint that measurements carry in their key."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from pathlib import Path

ROOT = Path("/")


@functools.cache
def facts(root: Path = ROOT) -> dict[str, str | int]:
    """Processor, cores, memory and kernel of this host; nothing that names it.

    `root` is the tree to look in: another machine's is a folder with copies of these files.
    """
    processor, flags = root / "proc/cpuinfo", _flags(root)
    return {
        "cpu_model": _field(processor, "model name") or _field(processor, "Model") or _architecture(root),
        "cpu_flags": flags,
        "cpu_flags_sha256": hashlib.sha256(flags.encode()).hexdigest()[:16],
        "cores": cores(root),
        "memory_kib": int((_field(root / "proc/meminfo", "MemTotal") or "0").split()[0]),
        "kernel": _read(root / "proc/sys/kernel/osrelease").strip(),
        "machine": _architecture(root),
    }


def described(root: Path = ROOT) -> dict[str, str | int]:
    """Return the facts with the fingerprint, as records have them."""
    return {**facts(root), "fingerprint": fingerprint("", root)}


def cores(root: Path = ROOT) -> int:
    """Processors that this process may use, or the one that copied another machine's files."""
    if root == ROOT:
        return len(os.sched_getaffinity(0))
    ranges = [span.partition("-") for span in _field(root / "proc/self/status", "Cpus_allowed_list").split(",")]
    return sum(int(last or first) - int(first) + 1 for first, _, last in ranges if first)


def fingerprint(device: str = "", root: Path = ROOT) -> str:
    """Stand for this machine, and the device measured, in keys: numbers of another are never reused as its own."""
    told = facts(root)
    identity = _read(root / "etc/machine-id").strip()
    text = "|".join((identity, str(told["cpu_model"]), str(told["cpu_flags_sha256"]), str(told["cores"]), device))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _flags(root: Path) -> str:
    """Return what the processor can do: x86 calls it flags, Arm features."""
    return _field(root / "proc/cpuinfo", "flags") or _field(root / "proc/cpuinfo", "Features")


def _architecture(root: Path) -> str:
    return _read(root / "proc/sys/kernel/arch").strip() or platform.machine()  # the file is there since Linux 6.1


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
