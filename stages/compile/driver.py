"""Run the vendor's compiler on one model: bounded in time, nothing of it left behind, everything it says kept."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

from stages.contract import InputError

COMPILER = "edgetpu_compiler"
GRACE_S = 15.0  # the compiler watches the limit itself and says so; beyond this it is ended
SETTLE_S = 10.0


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `code` is None when it had to be ended. `output` is where the compiled file should be."""

    code: Optional[int]
    log: str
    output: Path


def find_compiler() -> str:
    """Find the compiler on PATH.

    Raises:
        InputError: it is not there.
    """
    found = shutil.which(COMPILER)
    if found is None:
        raise InputError(
            "%s is not installed in this environment" % COMPILER,
            "use the compile image, or install the vendor's package edgetpu-compiler 16.0 and run again",
        )
    return found


def run_compiler(model: Path, folder: Path, log: Path, timeout_s: int, grace_s: float = GRACE_S) -> Outcome:
    """Compile `model` into `folder`; what the compiler prints goes to the file `log` as it comes."""
    command = [find_compiler(), *options(timeout_s), "-o", os.fspath(folder), os.fspath(model)]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, cwd=folder)
        code = _wait(process, timeout_s + grace_s)
    text = log.read_text(encoding="utf-8", errors="replace")
    return Outcome(code, text, folder / ("%s_edgetpu.tflite" % model.stem))


def options(timeout_s: int) -> List[str]:
    """List the options that decide about the result: the operator table on standard output, and the time limit."""
    return ["-s", "-t", str(timeout_s)]


def _wait(process: subprocess.Popen[bytes], limit_s: float) -> Optional[int]:
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        _end(process.pid)
        process.wait(SETTLE_S)
        return None


def _end(pid: int) -> None:
    """End a process and all below it: the compiler is a script that starts a parent that starts a child.

    They stay in this step's process group, so that they also end with it; so the group cannot be what is killed here.
    """
    for child in _children(pid):
        _end(child)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _children(pid: int) -> List[int]:
    try:
        return [int(word) for word in Path("/proc/%d/task/%d/children" % (pid, pid)).read_text("ascii").split()]
    except OSError:
        return []
