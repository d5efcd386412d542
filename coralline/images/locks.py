"""The hash-locked requirements of the images: made again from `requirements.in`, with what changed."""

from __future__ import annotations

import re
import subprocess
import sysconfig
import tomllib
from pathlib import Path

from coralline.errors import EngineError, ImageError
from coralline.images import Images

PLATFORM = "x86_64-manylinux_2_28"  # the C library of Debian 10: every base has a newer one
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)


def refresh(names: list[str], project: Path) -> list[str]:
    """Make the locks of the named images, or of all, from the newest packages that fit; say what changed.

    Raises:
        ProfileError: there is no such image.
        ImageError: the index does not answer, or has no wheel that fits.
    """
    images = Images(project)
    told = []
    for name in names or images.names():
        images.check(name)
        if images.lock_path(name).with_suffix(".in").exists():
            told += [f"{name}: {change}" for change in lock(images, name, upgrade=True) or ["nothing changed"]]
    return told


def lock(images: Images, name: str, *, upgrade: bool = False) -> list[str]:
    """Make the image's lock again and return what changed, one line for each package.

    Pins that still fit are kept, unless `upgrade`. The machine's own configuration of pip and uv is shut out, so that
    the lock names no folder or index of this host.

    Raises:
        ImageError: the index does not answer, or has no wheel that fits.
    """
    path = images.lock_path(name)
    before = pins(path.read_text(encoding="utf-8")) if path.exists() else {}
    python = tomllib.loads(images.base_path(name).read_text(encoding="utf-8"))["python"]
    command = [_uv(), "pip", "compile", "--quiet", "--no-config", "--no-header", "--generate-hashes"]
    command += ["--only-binary", ":all:", "--python-version", python, "--python-platform", PLATFORM]
    command += [*(["--upgrade"] if upgrade else []), "--output-file", path.name, "requirements.in"]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ImageError(
            f"docker/{name}/requirements.in cannot be locked",
            hint=f"is the index reachable, and has it wheels for Python {python}?\n{done.stderr.strip()[-800:]}",
        )
    return changes(before, pins(path.read_text(encoding="utf-8")))


def pins(text: str) -> dict[str, str]:
    """Return the version of each package in a lock."""
    return {name.lower().replace("_", "-"): version for name, version in PINNED.findall(text)}


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Say what differs between two locks, by package."""
    names = sorted(before.keys() | after.keys())
    changed = [name for name in names if before.get(name) != after.get(name)]
    return [f"{name} {before.get(name, '(absent)')} -> {after.get(name, '(absent)')}" for name in changed]


def _uv() -> str:
    for program in (str(Path(sysconfig.get_path("scripts")) / "uv"), "uv"):
        try:
            subprocess.run([program, "--version"], capture_output=True, check=True)
        except (FileNotFoundError, subprocess.CalledProcessError):
            continue
        return program
    raise EngineError("uv is not installed", hint="install Coralline again: uv comes with it")
