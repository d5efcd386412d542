"""Run the vendor's compiler on one model: bounded in time, nothing of it left behind, everything it says kept."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence

from stages.contract import InputError
from stages.edgetpu.log.lines import MOST_BYTES

COMPILER = "edgetpu_compiler"
GRACE_S = 15.0  # the compiler watches the limit itself and says so; beyond this it is ended
SETTLE_S = 10.0


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `code` is None when it had to be ended. `output` is where the compiled file should be."""

    code: Optional[int]
    log: bytes
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


def run_compiler(model: Path, folder: Path, log: Path, options: Sequence[str], limit_s: float) -> Outcome:
    """Compile `model` into `folder`; what the compiler prints is added to the file `log` as it comes."""
    command = [find_compiler(), *options, "-o", os.fspath(folder), os.fspath(model)]
    with log.open("ab") as file:
        begin = file.tell()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, cwd=folder)
        code = _wait(process, limit_s)
    with log.open("rb") as file:
        file.seek(begin)
        said = file.read(MOST_BYTES + 1)  # one more than is read, so that too much is noticed
    return Outcome(code, said, folder / ("%s_edgetpu.tflite" % model.stem))


def options(timeout_s: int, search_step: int = 0) -> List[str]:
    """List the options that decide about the result: the operator table on standard output, the time limit, the search.

    In a search the limit is that of each try.
    """
    return ["-s", "-t", str(timeout_s), *(["-d", "-k", str(search_step)] if search_step else [])]


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
