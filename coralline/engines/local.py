"""Runs steps as child processes in environments made from the same locks as the images; for hosts without Docker.

The same code, packages and contract as in containers. A process cannot be confined like a container: without Docker
there is no read-only root and no memory limit, and the network is only cut where the kernel lets this user do so.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline.engines.base import Job, Listener, OnEvent, Outcome, Places, write_step
from coralline.errors import EngineError, ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON = "3.11"  # the newest that TensorFlow 2.15.1 has wheels for, and the images' own
GRACE_S = 1.5
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ")


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
        """The lock, the Python that runs it, and the platform."""
        lock = self._lock(image)
        return {
            "engine": self.name,
            "lock": hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else "none",
            "python": PYTHON,
            "platform": f"{sys.platform}-{platform.machine()}",
        }

    def blocked(self, image: str) -> str | None:
        """Images that hold more than Python packages have no local form, unless the vendor's program is installed."""
        if image == "compile":
            return None if shutil.which("edgetpu_compiler") else "edgetpu_compiler is not installed (the local engine cannot bring it)"
        if image == "benchmark-edgetpu":
            return "libedgetpu and pycoral come only with the Docker engine"
        return None

    def identity(self, image: str) -> dict[str, str]:
        """The lock's digest and the exact interpreter."""
        return {"lock": str(self.recipe(image)["lock"]), "python": self._version(image)}

    def prepare(self, image: str, progress: OnEvent) -> None:
        """Make the environment when it is missing: a folder that is complete or absent.

        Raises:
            EngineError: no Python that the lock has wheels for.
            ImageError: packages cannot be had, or do not match their hashes.
        """
        home = self._environment(image)
        if home.exists() or not self._lock(image).is_file():
            return
        with self._alone(home):
            if not home.exists():
                progress({"event": "progress", "message": f"environment {image}: packages", "done": 0, "total": 0, "unit": ""})
                self._make(image, home)

    def run(self, job: Job, on_event: OnEvent, cancelled: threading.Event) -> Outcome:
        """Run the step as a process group of its own, which a closed standard input ends."""
        step = write_step(job, Places.of_host(job))
        listener = Listener(job.log, on_event)
        with tempfile.TemporaryDirectory(prefix="coralline-") as scratch:
            process = subprocess.Popen(
                self._command(job),
                env=self._variables(step, scratch),
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
        """The command that runs the step again, in a shell."""
        step = job.log.with_name(job.log.stem + ".step.json")
        variables = f"CORALLINE_STEP={shlex.quote(str(step))} PYTHONPATH={shlex.quote(str(self._project))}"
        return f"mkdir -p {shlex.quote(str(job.out))} && {variables} {shlex.join(self._command(job))}"

    def _attend(self, process: subprocess.Popen[bytes], listener: Listener, cancelled: threading.Event) -> Outcome:
        readers = [
            threading.Thread(target=_pump, args=(process.stdout, listener.stdout), daemon=True),
            threading.Thread(target=_pump, args=(process.stderr, listener.stderr), daemon=True),
        ]
        for reader in readers:
            reader.start()
        while process.poll() is None and not cancelled.is_set():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.1)
        _end_group(process)
        for reader in readers:
            reader.join(timeout=GRACE_S)
        code = process.returncode
        reason = f"killed by {signal.Signals(-code).name}" if code < 0 else None
        return Outcome(exit_code=code if code >= 0 else 128 - code, reason=reason, error=listener.error)

    def _command(self, job: Job) -> list[str]:
        return [*_unplugged(), str(self._environment(job.image) / "bin" / "python"), "-m", f"stages.{job.stage}"]

    def _variables(self, step: Path, scratch: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return kept | {
            "CORALLINE_STEP": str(step),
            "CORALLINE_LEASH": "1",
            "HOME": scratch,
            "TMPDIR": scratch,
            "PYTHONPATH": str(self._project),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def _lock(self, image: str) -> Path:
        return self._project / "docker" / image / "requirements.lock"

    def _environment(self, image: str) -> Path:
        if not self._lock(image).is_file():
            return self._environment("benchmark")  # the compiler's driver needs Python and nothing else
        digest = hashlib.sha256(self._lock(image).read_bytes()).hexdigest()
        return self._home / f"{image}-{digest[:16]}-py{PYTHON}"

    def _version(self, image: str) -> str:
        told = (self._environment(image) / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
        return next((line.partition("=")[2].strip() for line in told if line.startswith("version_info")), PYTHON)

    @contextlib.contextmanager
    def _alone(self, home: Path) -> Iterator[None]:
        home.parent.mkdir(parents=True, exist_ok=True)
        with home.with_name(home.name + ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _make(self, image: str, home: Path) -> None:
        beside = home.with_name(home.name + ".making")
        shutil.rmtree(beside, ignore_errors=True)
        made = _uv("venv", "--python", PYTHON, "--relocatable", str(beside))
        if made.returncode != 0:
            here = platform.python_version()
            raise EngineError(
                f"TensorFlow 2.15.1 needs Python {PYTHON}, which is neither here nor to be had (this is {here})",
                hint=f"install Python {PYTHON}, or run with --engine docker\n{made.stderr.strip()}",
            )
        lock = str(self._lock(image))
        filled = _uv("pip", "install", "--python", str(beside), "--require-hashes", "--no-deps", "--no-build", "-r", lock)
        if filled.returncode != 0:
            shutil.rmtree(beside, ignore_errors=True)
            raise ImageError(
                f"the environment of {image} cannot be made from docker/{image}/requirements.lock",
                hint=f"is the Python package index reachable?\n{filled.stderr.strip()[-800:]}",
            )
        beside.rename(home)


def _uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    beside_python = Path(sysconfig.get_path("scripts")) / "uv"
    program = str(beside_python) if beside_python.exists() else "uv"
    try:
        return subprocess.run([program, "--no-config", "-q", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise EngineError("uv is not installed", hint="install Coralline again: uv comes with it") from error


def _unplugged() -> list[str]:
    """Cut the network off where the kernel lets this user make a network namespace."""
    prefix = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-current-user", "--net"]
    try:
        allowed = subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return []
    return prefix if allowed else []


def _pump(stream: Any, take: Any) -> None:
    while chunk := stream.read1(65_536):
        take(chunk)


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


