"""Locks: hash-locked requirements made again from their `.in` files, complete or untouched, with what changed.

A lock of an image is for that image's Python; those in `requirements/` belong to no image.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from coralline.environments import PYTHON
from coralline.errors import EngineError, ImageError, ProfileError, nearest
from coralline.images import Images

if TYPE_CHECKING:
    from collections.abc import Iterable

PLATFORM = "x86_64-manylinux_2_28"  # the C library of Debian 10: every base has a newer one
EVERYWHERE = ("host", "test")  # locks that one file serves on every platform and Python; the others are for one
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)
UV = ("pip", "compile", "--quiet", "--no-config", "--no-header", "--generate-hashes", "--only-binary", ":all:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A package before and after; an empty version is an absent package."""

    package: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.package} {self.before or '(absent)'} -> {self.after or '(absent)'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What became of a lock: whether its bytes changed, which packages did, and a note where there is one to make."""

    name: str
    path: Path
    changed: bool
    changes: tuple[Change, ...] = ()
    note: str = ""

    def lines(self) -> list[str]:
        """Say it in one line for each package, or in one."""
        plain = "hashes or order changed" if self.changed else "nothing changed"
        return [f"{self.name}: {told}" for told in (*self.changes, *filter(None, [self.note]))] or [
            f"{self.name}: {plain}"
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock and what it is made from: `requirements`, for one Python or for all."""

    name: str
    requirements: Path
    python: str
    everywhere: bool = False

    @property
    def path(self) -> Path:
        """Where the lock is."""
        return self.requirements.with_suffix(".lock")

    def refresh(self, *, upgrade: bool, write: bool = True) -> Refreshed:
        """Make the lock again and say what changed; pins that still fit are kept, unless `upgrade`.

        Raises:
            ImageError: the index does not answer, or has no wheel that fits.
        """
        before = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        after = self._made(upgrade=upgrade)
        changed = _without_comments(after) != _without_comments(before)
        if write and changed:  # for comments alone every environment of the lock would be made again
            beside = self.path.with_name(f".{self.path.name}")
            beside.write_text(after, encoding="utf-8")
            beside.replace(self.path)
        told = changes(pins(before), pins(after))
        return Refreshed(name=self.name, path=self.path, changed=changed, changes=told)

    def _made(self, *, upgrade: bool) -> str:
        """Have uv write the lock in a folder of its own.

        The machine's configuration of pip and uv is shut out, so that the lock names no folder or index of this host.
        """
        where = ("--universal",) if self.everywhere else ("--python-platform", PLATFORM)
        with tempfile.TemporaryDirectory(prefix="coralline-lock-") as folder:
            for path in (*self.requirements.parent.glob("*.in"), *filter(Path.exists, [self.path])):
                shutil.copy(path, folder)  # one may read another: `-r host.in`
            command = [_uv(), *UV, "--python-version", self.python, *where, *(["--upgrade"] if upgrade else [])]
            command += ["--output-file", self.path.name, self.requirements.name]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise ImageError(
                    f"{self.requirements.parent.name}/{self.requirements.name} cannot be locked",
                    hint=f"is the index reachable, and has it wheels for Python {self.python}?\n"
                    f"{done.stderr.strip()[-800:]}",
                )
            return Path(folder, self.path.name).read_text(encoding="utf-8")


class Refreshable(Protocol):
    """A pin that can be made again: a lock of Python packages, a base, a vendor's files."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def path(self) -> Path:
        """The file that holds it."""
        ...

    def refresh(self, *, upgrade: bool, write: bool = True) -> Refreshed:
        """Make it again and say what changed."""
        ...


def known(project: Path) -> dict[str, Refreshable]:
    """Return everything that is pinned, by name: Python packages of images and of none, bases, vendors' files."""
    from coralline.images.baselock import BaseLock
    from coralline.images.vendorlock import VendorLock

    found: dict[str, Refreshable] = {**python(project)}
    for path in sorted((project / "docker" / "base").glob("*.toml")):
        found[f"base-{path.stem}"] = BaseLock(name=f"base-{path.stem}", description=path)
    for path in sorted((project / "docker").glob("*/vendor.lock")):
        name = f"vendor-{path.parent.name}"
        found[name] = VendorLock(name=name, path=path)
    return found


def python(project: Path) -> dict[str, Lock]:
    """Return every lock of Python packages by its name: those of the images, and those that belong to none."""
    images = Images(project)
    found = {}
    for name in images.names():
        requirements = images.lock_path(name).with_suffix(".in")
        if requirements.exists():
            python = tomllib.loads(images.base_path(name).read_text(encoding="utf-8"))["python"]
            found[name] = Lock(name=name, requirements=requirements, python=python)
    for path in sorted((project / "requirements").glob("*.in")):
        found[path.stem] = Lock(name=path.stem, requirements=path, python=PYTHON, everywhere=path.stem in EVERYWHERE)
    return found


def chosen(names: Iterable[str], among: Iterable[str]) -> list[str]:
    """Return the names, or all that there are.

    Raises:
        ProfileError: there is no lock of such a name.
    """
    there = list(among)
    wanted = list(names)
    for name in wanted:
        if name not in there:
            raise ProfileError(f"no such lock {name!r}", hint=nearest(name, there, "locks"))
    return wanted or there


def pins(text: str) -> dict[str, str]:
    """Return the version of each package in a lock; several, where the lock has one for each of several Pythons."""
    found: dict[str, list[str]] = {}
    for name, version in PINNED.findall(text):
        found.setdefault(name.lower().replace("_", "-"), []).append(version)
    return {name: ", ".join(versions) for name, versions in found.items()}


def changes(before: dict[str, str], after: dict[str, str]) -> tuple[Change, ...]:
    """Say what differs between two locks, by package."""
    return tuple(
        Change(package=name, before=before.get(name, ""), after=after.get(name, ""))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def _without_comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.lstrip().startswith("#")]


def _uv() -> str:
    for program in (str(Path(sysconfig.get_path("scripts")) / "uv"), "uv"):
        try:
            subprocess.run([program, "--version"], capture_output=True, check=True)
        except (FileNotFoundError, subprocess.CalledProcessError):
            continue
        return program
    raise EngineError("uv is not installed", hint="install Coralline again: uv comes with it")
