"""Runs steps as child processes in environments made from the same locks as the images; for hosts without Docker.

The same code, packages and contract as in containers. A process cannot be confined like a container: without Docker
there is no read-only root and no memory limit, and the network is only cut where the kernel lets this user do so.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from typing import TYPE_CHECKING, Any

from coralline.engines.base import Job, Listener, OnEvent, Outcome, Places, environment, write_step
from coralline.environments import PYTHON, Environment

if TYPE_CHECKING:
    from pathlib import Path

GRACE_S = 1.5
LOOK_EVERY_S = 0.1


class LocalEngine:
    """Child processes of this host, in environments below `home` named by the digest of their lock."""

    name = "local"

    def __init__(self, project: Path, home: Path) -> None:
        self._project = project
        self._home = home

    def available(self) -> str | None:
        """Only Linux on x86-64: the locks hold wheels for nothing else."""
        if (sys.platform, platform.machine()) == ("linux", "x86_64"):
            return None
        return f"the locks are for Linux on x86-64, this is {sys.platform} on {platform.machine()}"

    def recipe(self, image: str) -> dict[str, Any]:
        """Return the lock, the Python that runs it, and the platform."""
        platform_name = f"{sys.platform}-{platform.machine()}"
        told = {"lock": self._environment(image).digest, "python": PYTHON, "platform": platform_name}
        found = [place for name in self._programs(image) if (place := shutil.which(name))]
        return told | ({"programs": _digest_of_files(tuple(found))} if found else {})

    def blocked(self, image: str) -> str | None:
        """Images that hold more than Python packages have no local form, unless the programs are installed."""
        lacking = [name for name in self._programs(image) if not shutil.which(name)]
        if lacking:
            are, them = ("is", "it") if len(lacking) == 1 else ("are", "them")
            return f"{', '.join(lacking)} {are} not installed (the local engine cannot bring {them})"
        if image == "benchmark-edgetpu":
            return "libedgetpu and pycoral come only with the Docker engine"
        return None

    def identity(self, image: str) -> dict[str, str]:
        """Return the lock's digest and the exact interpreter."""
        environment = self._environment(image)
        return {"lock": environment.digest, "python": environment.version}

    def prepare(self, image: str, progress: OnEvent) -> None:
        """Make the image's environment when it is missing; raises what `Environment.ensure` does."""
        self._environment(image).ensure(
            lambda text: progress({"event": "progress", "message": text, "done": 0, "total": 0, "unit": ""})
        )

    def run(self, job: Job, on_event: OnEvent, cancelled: threading.Event) -> Outcome:
        """Run the step as a process group of its own, which a closed standard input ends."""
        step = write_step(job, Places.of_host(job))
        listener = Listener(job.log, on_event)
        if not _unplugged():
            on_event({"event": "warning", "message": "the network stays open: this host lets no user cut it off"})
        with tempfile.TemporaryDirectory(prefix="coralline-") as scratch:
            process = subprocess.Popen(
                self._command(job),
                env=self._variables(job, step, scratch),
                cwd=scratch,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            try:
                return self._attend(process, listener, cancelled)
            finally:
                _end_group(process)
                listener.close()

    def replay(self, job: Job) -> str:
        """Return the command that runs the step again, in a shell."""
        step = job.log.with_name(job.log.stem + ".step.json")
        variables = f"CORALLINE_STEP={shlex.quote(str(step))} PYTHONPATH={shlex.quote(str(job.code))}"
        return f"mkdir -p {shlex.quote(str(job.out))} && {variables} {shlex.join(self._command(job))}"

    def _attend(self, process: subprocess.Popen[bytes], listener: Listener, cancelled: threading.Event) -> Outcome:
        readers = [
            threading.Thread(target=_pump, args=(process.stdout, listener.stdout), daemon=True),
            threading.Thread(target=_pump, args=(process.stderr, listener.stderr), daemon=True),
        ]
        for reader in readers:
            reader.start()
        while process.poll() is None and not cancelled.is_set():
            _wait(process)
        _end_group(process)
        for reader in readers:
            reader.join(timeout=GRACE_S)
        code = process.returncode
        reason = f"killed by {signal.Signals(-code).name}" if code < 0 else None
        return Outcome(exit_code=code if code >= 0 else 128 - code, reason=reason, error=listener.error)

    def _command(self, job: Job) -> list[str]:
        return [*_unplugged(), str(self._environment(job.image).python), "-m", f"stages.{job.stage}"]

    def _variables(self, job: Job, step: Path, scratch: str) -> dict[str, str]:
        return environment(job) | {
            "CORALLINE_STEP": str(step),
            "HOME": scratch,
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(job.code.absolute()),
            "TMPDIR": scratch,
        }

    def _programs(self, image: str) -> list[str]:
        """Name the programs of an image that are no Python packages, as `docker/IMAGE/programs` lists them."""
        listed = self._project / "docker" / image / "programs"
        return listed.read_text(encoding="utf-8").split() if listed.is_file() else []

    def _environment(self, image: str) -> Environment:
        lock = self._project / "docker" / image / "requirements.lock"
        if not lock.is_file():
            return self._environment("benchmark")  # the compiler's driver needs Python and nothing else
        return Environment(image, lock, self._home)


@functools.cache
def _digest_of_files(paths: tuple[str, ...]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        with open(os.path.realpath(path), "rb") as file:  # noqa: PTH123 - which() gives words
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


@functools.cache
def _unplugged() -> tuple[str, ...]:
    """Cut the network off where the kernel lets this user make a network namespace."""
    prefix = ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--user", "--map-current-user", "--net")
    try:
        allowed = subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return ()
    return prefix if allowed else ()


def _pump(stream: Any, take: Any) -> None:
    with stream:
        while chunk := stream.read1(65_536):
            take(chunk)


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Wait until a process has ended, or for a moment; Popen's own way is to sleep again and again."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:  # Linux before 5.3
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=LOOK_EVERY_S)
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(LOOK_EVERY_S * 1000)
    finally:
        os.close(descriptor)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End the step and everything that it started."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sent)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=GRACE_S)
            if sent is signal.SIGTERM:
                continue
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
