"""The wheels of locks, for any Python: fetched by pip, each complete and of its digest, or absent."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coralline import offline
from coralline.errors import EngineError, ImageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Tell = Callable[[int, int], None]  # how many of how many are done

BESIDE = ".coralline-fetch-"  # begins the names of folders that pip fetches to
BATCH = 8  # packages for one start of pip: what a kill loses
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?P<rest>.*(?:\n[ \t]+--hash=.*)*)", re.MULTILINE)
HASH = re.compile(r"sha256:([0-9a-f]{64})")
ELSEWHERE = "sys_platform == 'win32'"
BEGUN = re.compile(r"(?:Collecting|Processing) ")  # what pip says when it turns to the next package
# The C library of the locks (images/locks.py). pip does not add the older ones, and each has two names.
PLATFORMS = [
    *(f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)),
    *("manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64", "any"),
]


@dataclass(frozen=True, slots=True)
class Pin:
    """One line of a lock, for one Python such as `3.11`."""

    name: str
    version: str
    digests: frozenset[str]
    python: str

    @property
    def line(self) -> str:
        """The line as pip reads it."""
        return f"{self.name}=={self.version} " + " ".join(f"--hash=sha256:{digest}" for digest in sorted(self.digests))

    def among(self, wheels: Mapping[str, str]) -> str | None:
        """Return which of the wheels (name -> digest) is this one, if any."""
        return next(
            (name for name, digest in wheels.items() if digest in self.digests and fits(name, self.python)), None
        )


def pins(lock: Path, python: str) -> list[Pin]:
    """Read a lock; what is for another system is left out."""
    found = PIN.finditer(lock.read_text(encoding="utf-8"))
    return [
        Pin(match["name"], match["version"], frozenset(HASH.findall(match["rest"])), python)
        for match in found
        if ELSEWHERE not in match["rest"]
    ]


def fits(wheel: str, python: str) -> bool:
    """Whether a wheel of this platform, by its name, is for a Python (PEP 425: ...-PYTHON-ABI-PLATFORM.whl)."""
    major, minor = (int(part) for part in python.split("."))
    pythons, abis = (part.split(".") for part in wheel.removesuffix(".whl").split("-")[-3:-1])
    older = {f"{kind}{major}{number}" for kind in ("cp", "py") for number in range(minor + 1)}
    if f"py{major}" in pythons or f"cp{major}{minor}" in pythons:
        return True
    return bool(older & {tag for tag in pythons if tag.startswith("py") or "abi3" in abis})


def fetch(wanted: Iterable[Pin], folder: Path, tell: Tell) -> list[str]:
    """Have the wheel of every pin in `folder`, and return their names; what is there is not fetched again.

    `tell` gets how many of how many missing ones are done.

    Raises:
        ImageError: the index does not answer, or has no such wheel.
    """
    asked = sorted(set(wanted), key=lambda pin: (pin.python, pin.name, pin.version))
    folder.mkdir(parents=True, exist_ok=True)
    wheels = {path.name: offline.digest(path) or "" for path in sorted(folder.glob("*.whl"))}
    missing = [pin for pin in asked if pin.among(wheels) is None]
    done = 0
    for batch in _batches(missing):
        counted = itertools.count(done)
        wheels |= _fetch(batch, folder, lambda counted=counted: tell(next(counted), len(missing)))  # type: ignore[misc]
        done += len(batch)
    return sorted({_wheel(pin, wheels) for pin in asked})


def _fetch(batch: list[Pin], folder: Path, begun: Callable[[], None]) -> dict[str, str]:
    """Fetch a few wheels beside `folder`, then move them in; return their digests by name."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=BESIDE) as beside:
        lock = Path(beside, "lock")
        lock.write_text("".join(f"{pin.line}\n" for pin in batch), encoding="utf-8")
        said = _pip(batch[0].python, lock, Path(beside), begun)
        fetched = {path.name: offline.digest(path) or "" for path in sorted(Path(beside).glob("*.whl"))}
        for pin in batch:
            if pin.among(fetched) is None:
                raise ImageError(
                    f"there is no wheel of {pin.name} {pin.version} for Python {pin.python} to be had",
                    hint=f"is the package index reachable? what is fetched stays; pip said:\n{said[-800:].strip()}",
                )
        for name in fetched:
            Path(beside, name).replace(folder / name)
    return fetched


def _pip(python: str, lock: Path, folder: Path, begun: Callable[[], None]) -> str:
    """Run pip, calling `begun` at each package; return what it said."""
    minor = python.partition(".")[2]
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--progress-bar", "off"]
    command += ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--python-version", python]
    command += ["--implementation", "cp", "--abi", f"cp3{minor}", "--abi", "abi3", "--abi", "none"]
    command += [word for platform in PLATFORMS for word in ("--platform", platform)]
    command += ["--dest", str(folder), "--requirement", str(lock)]
    said = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        for line in process.stdout:
            said.append(line)
            if BEGUN.match(line):
                begun()
    if said and "No module named pip" in said[-1]:
        raise EngineError("pip is not installed beside Invoke", hint="use ./run, which brings its own")
    return "".join(said)


def _wheel(pin: Pin, wheels: Mapping[str, str]) -> str:
    name = pin.among(wheels)
    assert name is not None, pin  # noqa: S101 - it was there, or has just been fetched
    return name


def _batches(pins: list[Pin]) -> Iterator[list[Pin]]:
    """Cut sorted pins where pip cannot take more at once: one Python, and one version of a package."""
    batch: list[Pin] = []
    for pin in pins:
        if batch and (len(batch) == BATCH or batch[-1].python != pin.python or batch[-1].name == pin.name):
            yield batch
            batch = []
        batch.append(pin)
    if batch:
        yield batch
