"""Runs a step while it holds an Edge TPU of the machine that it is on: `python3 -m stages.hold STAGE PORT...`.

For steps on another machine, whose locks the host side cannot take. The lock is that of coralline/devices/lock.py, in
that machine's own folder; the kernel lets go of it when the step ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import time
from pathlib import Path
from typing import List

PLACE = Path("/run/lock")
POLL_S = 0.2
TOLD_LENGTH = 120


def main() -> None:
    """Wait for one of the ports and become the step."""
    stage, *ports = sys.argv[1:]
    os.environ["CORALLINE_STICK"] = wait(ports, PLACE, stage)
    os.execv(sys.executable, [sys.executable, "-m", f"stages.{stage}"])  # noqa: S606 - no shell; the lock is kept


def wait(ports: List[str], place: Path, stage: str) -> str:
    """Return the port that is held from now on; say once that others hold all of them."""
    told = False
    while True:
        for port in ports:
            if _take(place / f"coralline-edgetpu-{port}.lock", stage):
                return port
        if not told:
            message = f"the Edge TPU at port {ports[0]} is used by another process"
            print(json.dumps({"event": "progress", "done": 0, "total": 0, "unit": "", "message": message}), flush=True)
            told = True
        time.sleep(POLL_S)


def _take(path: Path, stage: str) -> bool:
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    os.set_inheritable(descriptor, True)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"a step from another machine: {stage}".encode()[:TOLD_LENGTH])
    return True


def _open(path: Path) -> int:
    """Open the lock file, made for all users when missing; coralline/devices/lock.py says why in two steps."""
    flags = os.O_RDWR | os.O_NOFOLLOW
    with contextlib.suppress(FileNotFoundError):
        return os.open(path, flags)
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
        os.fchmod(descriptor, 0o666)
        return descriptor
    return os.open(path, flags)


if __name__ == "__main__":
    main()
