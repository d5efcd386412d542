"""Environments of Python packages, each made once from a hash-checked lock: complete or absent, named by the lock."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import platform
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coralline import offline
from coralline.errors import EngineError, ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PYTHON = "3.11"  # the newest that TensorFlow 2.15.1 has wheels for, and the images' own


@dataclass(frozen=True, slots=True)
class Environment:
    """The environment `name` made from `lock`, below `home`."""

    name: str
    lock: Path
    home: Path

    @property
    def path(self) -> Path:
        """Its folder, there or not."""
        return self.home / f"{self.name}-{self.digest[:16]}-py{PYTHON}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.path / "bin" / "python"

    @property
    def packages(self) -> Path:
        """Its folder of packages."""
        return self.path / "lib" / f"python{PYTHON}" / "site-packages"

    @property
    def digest(self) -> str:
        """SHA-256 of the lock."""
        return hashlib.sha256(self.lock.read_bytes()).hexdigest()

    @property
    def version(self) -> str:
        """The exact version of its interpreter."""
        told = (self.path / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
        return next((line.partition("=")[2].strip() for line in told if line.startswith("version_info")), PYTHON)

    def ensure(self, say: Callable[[str], None]) -> None:
        """Make it when it is missing; `say` is told when that takes time.

        Raises:
            EngineError: no Python that the lock has wheels for.
            ImageError: packages cannot be had, or do not match their hashes.
        """
        if self.path.exists():
            return
        with self._alone():
            if not self.path.exists():
                say(f"environment {self.name}: packages")
                self._make()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / f"{self.name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _make(self) -> None:
        beside = self.path.with_name(self.path.name + ".making")
        shutil.rmtree(beside, ignore_errors=True)
        pack = offline.Pack.given()
        near = () if pack is None else ("--offline",)
        made = _uv(*near, "venv", "--python", PYTHON, "--relocatable", str(beside))
        if made.returncode != 0:
            raise EngineError(
                f"the stages need Python {PYTHON} (TensorFlow 2.15.1 has no wheels for newer ones), which is neither "
                f"here nor to be had; this is {platform.python_version()}",
                hint=f"install Python {PYTHON}, or run with --engine docker\n{made.stderr.strip()}",
            )
        source = () if pack is None else ("--no-index", "--find-links", str(pack.wheels(self.lock)))
        install = ("pip", "install", "--require-hashes", "--no-deps", "--no-build", *source)
        filled = _uv(*near, *install, "--python", str(beside), "-r", str(self.lock))
        if filled.returncode != 0:
            shutil.rmtree(beside, ignore_errors=True)
            raise ImageError(
                f"the environment {self.name} cannot be made from its lock",
                hint=f"{_doubt(pack)}\n{filled.stderr.strip()[-800:]}",
            )
        beside.rename(self.path)


def _doubt(pack: offline.Pack | None) -> str:
    if pack is None:
        return "is the Python package index reachable?"
    return f"{pack.folder} has not all of its packages: was it packed from another version of the project?"


def _uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    beside_python = Path(sysconfig.get_path("scripts")) / "uv"
    program = str(beside_python) if beside_python.exists() else "uv"
    try:
        return subprocess.run([program, "--no-config", "-q", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise EngineError("uv is not installed", hint="install Coralline again: uv comes with it") from error
