"""What the doctor asks of what makes things: Docker, the locks, and the vendor's compiler."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline import daemon
from coralline.doctor.findings import LIMIT_S, Finding, error, info, ok, warning
from coralline.doctor.machine import room
from coralline.engines import HOME
from coralline.engines.local import LocalEngine
from coralline.errors import EngineError
from coralline.images import Images

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coralline.doctor.machine import Machine

SLOW_STORAGE = {"vfs"}  # copies every layer whole: docs.docker.com, "Docker storage drivers"
WANTED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?(?:==([^\s;]+))?", re.MULTILINE)
PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==", re.MULTILINE)


def client(_machine: Machine) -> Iterator[Finding]:
    """Name the Docker client and how it builds."""
    from coralline.images import builder

    try:
        chosen = builder.client()
    except EngineError as trouble:
        yield warning("docker.client", trouble.message, trouble.hint)
    else:
        yield ok("docker.client", f"{chosen.program} builds with {chosen.builder}")


def server(machine: Machine) -> Iterator[Finding]:
    """Name the daemon, its version, its storage and the room that it has; without one, say what goes on."""
    try:
        version, about = daemon.get("/version")[1], daemon.get("/info")[1]
    except EngineError as trouble:
        yield _without_daemon(trouble, machine)
        return
    if not isinstance(version, dict) or not isinstance(about, dict) or "Version" not in version:
        yield error("docker", "the daemon answers, but refuses to say what it is", "see the daemon's log")
        return
    yield ok("docker", f"daemon {version['Version']} (API {version.get('ApiVersion', '?')})")
    yield _storage(about)
    yield room("disk.docker", Path(about.get("DockerRootDir") or "/var/lib/docker"))


def locks(machine: Machine) -> Iterator[Finding]:
    """See that every lock is there, holds hashes, and has what its requirements ask for."""
    files = sorted([*(machine.project / "docker").glob("*/requirements.in"), *_host_requirements(machine.project)])
    troubles = [(path, told) for path in files if (told := lock_trouble(path)) is not None]
    for path, told in troubles:
        name = path.parent.name
        remedy = (
            f"./run image.lock {name}" if path.name == "requirements.in" else "restore it: git checkout requirements"
        )
        yield error("locks", f"{path.relative_to(machine.project).with_suffix('.lock')} {told}", remedy)
    if not troubles:
        yield ok("locks", f"{len(files)} locks with hashes, in step with their requirements")


def lock_trouble(requirements: Path) -> str | None:
    """Say what is wrong with the lock of a requirements file, or None."""
    lock = requirements.with_suffix(".lock")
    if not lock.is_file():
        return "is missing"
    text = lock.read_text(encoding="utf-8")
    starts = [match.start() for match in PINNED.finditer(text)]
    parts = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    if bare := [part.split("==")[0] for part in parts if "--hash=sha256:" not in part]:
        return f"pins {bare[0]} without a hash"
    pins: dict[str, list[str | None]] = {}  # more than one version where a lock serves several Pythons
    for name, version in _names_and_versions(text):
        pins.setdefault(name, []).append(version)
    for name, version in _names_and_versions(requirements.read_text(encoding="utf-8")):
        if name not in pins:
            return f"lacks {name}"
        if version not in (None, *pins[name]):
            return f"has {name} {', '.join(map(str, pins[name]))}; {requirements.name} asks for {version}"
    return None


def compiler(machine: Machine) -> Iterator[Finding]:
    """Say whether the Edge TPU compiler is at hand, or can be fetched."""
    program = shutil.which("edgetpu_compiler", path=machine.environ.get("PATH"))
    if program is not None:
        yield ok("compiler", f"{program} is there, for the local engine")
    known = Images(machine.project, HOME / "images").recorded("compile")
    if known is not None:
        yield ok("compiler.image", f"the image compile was built: {str(known['id'])[:19]}")
        return
    trouble = vendor_trouble(machine.project / "docker" / "compile" / "vendor.lock")
    if trouble is None:
        yield info("compiler.image", "the image compile is not built; the vendor answers", "./run image.build compile")
    elif program is None:
        yield warning(
            "compiler.image",
            f"the Edge TPU compiler is out of reach: {trouble}; networks will not be compiled, all else is made",
            "connect this machine, then: ./run image.build compile",
        )


def vendor_trouble(lock: Path, limit_s: float = LIMIT_S) -> str | None:
    """Say why the vendor's server does not answer, or None: any answer over a trusted connection will do."""
    import urllib.error
    import urllib.parse
    import urllib.request

    lines = lock.read_text(encoding="utf-8").splitlines()
    address = next(word for line in lines if not line.startswith("#") for word in line.split() if "://" in word)
    host = urllib.parse.urlsplit(address).hostname
    try:
        request = urllib.request.Request(address, method="HEAD")  # noqa: S310 - the lock has only https
        with urllib.request.urlopen(request, timeout=limit_s * 0.8):  # noqa: S310
            return None
    except urllib.error.HTTPError:
        return None  # it answers
    except (OSError, ValueError) as reason:
        return f"{host}: {getattr(reason, 'reason', None) or reason}"


def _without_daemon(trouble: EngineError, machine: Machine) -> Finding:
    local = LocalEngine(machine.project, HOME / "environments").available()
    if local is None:
        return warning("docker", f"{trouble.message}; the local engine is used", trouble.hint)
    return error("docker", f"{trouble.message}; nor can the local engine be used: {local}", trouble.hint)


def _storage(about: dict[str, Any]) -> Finding:
    driver = str(about.get("Driver", "unknown"))
    if driver in SLOW_STORAGE:
        return warning("docker.storage", f"storage driver {driver}: every layer is copied", "use overlay2")
    return ok("docker.storage", f"storage driver {driver}")


def _host_requirements(project: Path) -> Iterator[Path]:
    yield from (project / "requirements").glob("*.in")


def _names_and_versions(text: str) -> Iterator[tuple[str, str | None]]:
    for name, version in WANTED.findall(text):
        yield name.lower().replace("_", "-").replace(".", "-"), version.rstrip("\\ ") or None
