"""What the doctor asks of the machine itself: Python, memory, disk, certificates, clock and how the processor runs."""

from __future__ import annotations

import shutil
import sys
import sysconfig
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from coralline.catalogue import PROJECT, specs
from coralline.doctor.findings import Finding, error, info, ok, warning
from coralline.environments import PYTHON
from coralline.images.built import EPOCH
from coralline.make import LEAST_FREE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
FIRST_RUN_BYTES = 4 * 2**30  # a first run with its images took 3.6 GiB: docs/measured.md
DAY_S = 86_400.0
GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where to look: `root` is the tree for /proc, /sys, /etc and /dev."""

    artifacts: Path
    environ: Mapping[str, str]
    root: Path = Path("/")
    project: Path = PROJECT
    now: float = field(default_factory=time.time)


def python(machine: Machine) -> Iterator[Finding]:
    """Name this Python, and say whether the stages' own is at hand for the local engine."""
    yield ok("python", f"Python {'.'.join(map(str, sys.version_info[:3]))} runs the host side")
    made = sorted((machine.project / ".coralline" / "environments").glob(f"*-py{PYTHON}"))
    uv = shutil.which("uv", path=str(Path(sysconfig.get_path("scripts")))) or shutil.which("uv")
    if made or shutil.which(f"python{PYTHON}") or sys.version_info[:2] == tuple(map(int, PYTHON.split("."))):
        yield ok("python.stages", f"Python {PYTHON} is there for local environments")
    elif uv is not None:
        yield info("python.stages", f"Python {PYTHON} is not here; uv fetches it when a local environment is made")
    else:
        yield warning(
            "python.stages",
            f"neither Python {PYTHON} nor uv is here: no local environments",
            f"install Python {PYTHON}",
        )


def memory(machine: Machine) -> Iterator[Finding]:
    """Compare the memory with what the largest stage may take."""
    largest = max(specs().values(), key=lambda spec: spec.memory_gib)
    total = _meminfo(machine.root, "MemTotal")
    if total is None:
        yield info("memory", "the size of the memory cannot be read")
    elif total < largest.memory_gib * GIB:
        yield warning(
            "memory",
            f"{total / GIB:.1f} GiB of memory; the stage {largest.name} may take {largest.memory_gib:g} GiB",
            "train smaller images or batches: --set train.batch=8",
        )
    else:
        yield ok("memory", f"{total / GIB:.1f} GiB of memory")


def disk(machine: Machine) -> Iterator[Finding]:
    """Say how much is free where artifacts are kept."""
    yield room("disk.artifacts", machine.artifacts)


def room(name: str, place: Path) -> Finding:
    """Say how much is free on the disk of `place`, there or not."""
    known = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
    free = shutil.disk_usage(known).free
    said = f"{free / GIB:.1f} GiB free for {place}"
    if free < LEAST_FREE_BYTES:
        return error(name, said, "free some: less than half a GiB holds no trained model")
    if free < FIRST_RUN_BYTES:
        return warning(name, said, "free some before a first run: it takes about 4 GiB with its images")
    return ok(name, said)


def certificates(machine: Machine) -> Iterator[Finding]:
    """See that the bundles of authorities that variables name are there; a wrong one breaks every download."""
    named = {name: Path(machine.environ[name]) for name in BUNDLES if machine.environ.get(name)}
    for name, path in named.items():
        if not path.is_file():
            yield error("certificates", f"{name} names {path}, which is no file", f"unset {name}, or name a bundle")
        elif b"BEGIN CERTIFICATE" not in path.read_bytes():
            yield error(
                "certificates", f"{name} names {path}, which holds no certificate", f"unset {name}, or name one"
            )
        else:
            yield ok("certificates", f"{name} names {path}")
    if not named:
        yield ok("certificates", "the system's own authorities are used")


def clock(machine: Machine) -> Iterator[Finding]:
    """See that the clock is not obviously wrong: certificates, caches and logs depend on it."""
    newest = max(path.stat().st_mtime for path in (machine.project / "coralline").glob("*.py"))
    shown = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(machine.now))
    if machine.now < EPOCH:
        yield error("clock", f"the clock says {shown}", "set it: no server's certificate is valid then")
    elif newest > machine.now + DAY_S:
        yield warning("clock", f"the clock says {shown}, but files here are newer", "set it")
    else:
        yield ok("clock", f"the clock says {shown}")


def governor(machine: Machine) -> Iterator[Finding]:
    """Say how the processor's clock is governed: with anything but `performance` latencies scatter."""
    files = (machine.root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    found = Counter(word for word in map(_read, files) if word)
    said = ", ".join(f"{word} on {count} processors" for word, count in sorted(found.items()))
    if not found:
        yield info("governor", "no clock governor is to be seen, as in virtual machines: latencies may scatter")
    elif set(found) == {"performance"}:
        yield ok("governor", f"clock governor: {said}")
    else:
        yield warning(
            "governor",
            f"clock governor: {said}; measured latencies will scatter",
            "before measuring, as root: cpupower frequency-set -g performance",
        )


def _meminfo(root: Path, name: str) -> int | None:
    for line in _read(root / "proc/meminfo").splitlines():
        label, _, value = line.partition(":")
        words = value.split()
        if label == name and words and words[0].isdecimal():
            return int(words[0]) * 1024
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
