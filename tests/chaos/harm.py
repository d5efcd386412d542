"""The kinds of harm that a run can meet, each done for real: what dies, or what fills up, and how it is put right."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from lab import Lab

    from tests.chaos.servant import Servant

    # Does harm to the run of the lab whose host process is given; returns whether there was anything to harm.
    Harm = Callable[[Lab, subprocess.Popen[str], random.Random], bool]

FULL_S = 2.0  # how long a disk stays full
GONE_S = 1.0  # how long a daemon stays away


def kill_host(_lab: Lab, process: subprocess.Popen[str], _rng: random.Random) -> bool:
    """SIGKILL to the host process."""
    process.kill()
    return True


def interrupt_host(_lab: Lab, process: subprocess.Popen[str], rng: random.Random) -> bool:
    """Ctrl-C or SIGTERM to the host process."""
    process.send_signal(rng.choice((signal.SIGINT, signal.SIGTERM)))
    return True


def kill_step(lab: Lab, _process: subprocess.Popen[str], rng: random.Random) -> bool:
    """SIGKILL to one process of a step of the local engine."""
    found = sorted(int(one.split()[1]) for one in lab.left_running() if one.startswith("process "))
    if found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(rng.choice(found), signal.SIGKILL)
    return bool(found)


def kill_container(lab: Lab, _process: subprocess.Popen[str], rng: random.Random) -> bool:
    """SIGKILL to the container of a step."""
    found = sorted(lab.containers(running=True))
    killed = found and subprocess.run(["docker", "kill", rng.choice(found)], capture_output=True, check=False)
    return bool(killed) and killed.returncode == 0


def kill_daemon(servant: Servant) -> Harm:
    """SIGKILL to a Docker daemon of our own with all that it started; after a moment it is there again."""

    def harm(_lab: Lab, _process: subprocess.Popen[str], _rng: random.Random) -> bool:
        servant.kill()
        time.sleep(GONE_S)
        servant.start()
        return True

    return harm


def fill_disk(lab: Lab, _process: subprocess.Popen[str], _rng: random.Random) -> bool:
    """No room on the file system of the artifacts for a moment; only for one that is small and the lab's own."""
    ballast = lab.artifacts.parent / "ballast"
    until = time.monotonic() + FULL_S
    with ballast.open("wb") as file:
        while time.monotonic() < until:  # whatever is freed meanwhile is taken too
            with contextlib.suppress(OSError):
                free = shutil.disk_usage(ballast.parent).free
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), max(free, 1))
                file.seek(0, os.SEEK_END)
            time.sleep(0.05)
    ballast.unlink()
    return True
