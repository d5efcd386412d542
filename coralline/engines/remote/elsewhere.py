"""Another machine as a folder of copies: what looks at this one's /proc, /sys and /dev looks there instead.

The copies are made by `stages/machine.py` in a container on that machine. They are kept by the daemon's identity, so
that a plan need not ask again; what is about to be measured on is asked anew.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from coralline import devices, host
from coralline.devices import edgetpu
from coralline.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN = "not asked yet"
FIELDS = {
    "proc/cpuinfo": ("model name", "Model", "flags", "Features"),
    "proc/meminfo": ("MemTotal",),
    "proc/self/status": ("Cpus_allowed_list",),
}
ABOUT = ("Architecture", "ID", "KernelVersion", "MemTotal", "NCPU")  # of the daemon: another value is another machine


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A machine that a step runs on and we do not; without `root` nothing is known of it yet."""

    root: Path | None = None

    def facts(self) -> dict[str, str | int]:
        """Return what records say of a host."""
        return {} if self.root is None else host.described(self.root)

    def cores(self) -> int:
        """Processors that a container there may use."""
        return 1 if self.root is None else host.cores(self.root)

    def fingerprint(self, need: str | None) -> str:
        """Stand for that machine and its device in keys; final once it was asked."""
        return UNKNOWN if self.root is None else host.fingerprint(devices.identity(need, self.root), self.root)

    def missing(self, need: str) -> str | None:
        """Say why the device is not there, or None when it is, or nothing is known yet."""
        absent = None if self.root is None else devices.missing(need, self.root)
        return absent and f"on the other machine: {absent}"

    def remedy(self, need: str) -> str:
        """Say what to do about a missing device."""
        return f"on the other machine: {devices.remedy(need, root=self.root or Path('/'))}"

    def sticks(self) -> list[str]:
        """Return the ports of the sticks to measure on."""
        return [] if self.root is None else [stick.port for stick in edgetpu.usable(self.root)]

    def groups(self) -> list[int]:
        """Return the groups that the device nodes belong to, but for root's."""
        told = {} if self.root is None else json.loads((self.root / "nodes.json").read_text(encoding="utf-8"))
        return sorted({group for _, group in told.values()} - {0})


def recall(home: Path, about: Mapping[str, Any]) -> Elsewhere:
    """Return what is known of the daemon's machine from an earlier time."""
    note = home / f"{_digest(_about(about))}.json"
    try:
        root = home / str(json.loads(note.read_text(encoding="utf-8"))["root"])
    except (FileNotFoundError, ValueError, KeyError):
        return Elsewhere()
    return Elsewhere(root) if root.is_dir() else Elsewhere()


def keep(home: Path, about: Mapping[str, Any], printed: bytes) -> Elsewhere:
    """Write down what `stages/machine.py` printed there.

    Raises:
        EngineError: it printed something else.
    """
    try:
        told = json.loads(printed)
        files = {_relative(name): _lasting(name, str(text)) for name, text in told["files"].items()}
        nodes = {_relative(name): (int(mode), int(group)) for name, (mode, group) in told["nodes"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError(
            f"the other machine does not say what it is: {error}", hint="try again; its image may be damaged"
        ) from error
    files["proc/sys/kernel/arch"] = str(about["Architecture"])
    files["etc/machine-id"] = files.get("etc/machine-id") or str(about["ID"])
    root = home / _digest([files, nodes])
    if not root.is_dir():
        _write(root, files, nodes)
    note = home / f"{_digest(_about(about))}.json"
    beside = note.with_suffix(f".{root.name}")
    beside.write_text(json.dumps({"root": root.name, "about": _about(about)}, indent=2, sort_keys=True) + "\n")
    beside.replace(note)
    return Elsewhere(root)


def _write(root: Path, files: Mapping[str, str], nodes: Mapping[str, tuple[int, int]]) -> None:
    import tempfile

    root.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=root.parent))
    for name, text in files.items():
        (beside / name).parent.mkdir(parents=True, exist_ok=True)
        (beside / name).write_text(text, encoding="utf-8")
    for name, (mode, group) in nodes.items():
        (beside / name).parent.mkdir(parents=True, exist_ok=True)
        (beside / name).touch()
        may = mode & 0o006 == 0o006 or (mode & 0o060 == 0o060 and group != 0)
        (beside / name).chmod(0o600 if may else 0)
    (beside / "nodes.json").write_text(json.dumps(dict(nodes), sort_keys=True), encoding="utf-8")
    try:
        beside.replace(root)
    except OSError:  # another process knew it first
        shutil.rmtree(beside)


def _lasting(name: str, text: str) -> str:
    """Leave out what changes from moment to moment, such as the clock rate."""
    wanted = FIELDS.get(name)
    if wanted is None:
        return text
    lines = {line.partition(":")[0].strip(): line for line in text.splitlines()}
    return "".join(f"{lines[field]}\n" for field in wanted if field in lines)


def _relative(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts:
        raise ValueError(name)
    return str(path)


def _about(about: Mapping[str, Any]) -> dict[str, Any]:
    return {name: about.get(name) for name in ABOUT}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
