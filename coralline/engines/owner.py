"""Who started a container: a process of this machine, named so that no later process can be mistaken for it."""

from __future__ import annotations

import os
from pathlib import Path

STARTED = 19  # field 22 of /proc/PID/stat, counted from the one after the program's name (proc(5))


def owner() -> str:
    """Return the name of this process: boot, process namespace, process id and start time."""
    pid = os.getpid()
    return f"{_boot()} {_namespace()} {pid} {_start_time(pid)}"


def is_gone(name: str, *, running: bool) -> bool:
    """Whether the process of that name has ended.

    Of a process of another machine or namespace nothing is known: it counts as gone when its container does not run,
    since nobody waits long for a container that has ended.
    """
    words = name.split(" ")
    if len(words) != 4 or words[:2] != [_boot(), _namespace()]:
        return not running
    return _start_time(int(words[2])) != words[3]


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _namespace() -> str:
    return str(Path("/proc/self/ns/pid").readlink())


def _start_time(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *fields = text.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[STARTED - 1]
