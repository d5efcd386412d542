"""Copies of the few files that say what a machine is, as one JSON object on standard output, for who cannot look there.

Run in a container on another machine, which has the host's /dev at /host/dev and its machine-id at /host/etc. Device
nodes are told by mode and group: nothing is opened.
"""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Dict, Iterator

FILES = ("proc/cpuinfo", "proc/meminfo", "proc/self/status", "proc/sys/kernel/osrelease", "proc/driver/nvidia/version")
PATTERNS = ("proc/driver/nvidia/gpus/*/information",)
USB = ("idVendor", "idProduct", "busnum", "devnum", "speed")
NODES = ("dev/bus/usb/*/*", "dev/nvidia0", "dev/nvidiactl")
LONGEST = 1 << 20


def main() -> None:
    """Print `files` (path -> text) and `nodes` (path -> [mode, group])."""
    told = {"files": dict(_files(Path("/"))), "nodes": _nodes(Path("/host"))}
    json.dump(told, sys.stdout, sort_keys=True)


def _files(root: Path) -> Iterator[tuple[str, str]]:
    found = [root / name for name in FILES]
    found += [path for pattern in PATTERNS for path in sorted(root.glob(pattern))]
    for device in sorted(root.glob("sys/bus/usb/devices/*")):
        found += [device / name for name in USB]
    for path in found:
        text = _text(path)
        if text:
            yield str(path.relative_to(root)), text
    yield "etc/machine-id", _text(root / "host/etc/machine-id")


def _nodes(root: Path) -> Dict[str, list[int]]:
    nodes = {}
    for pattern in NODES:
        for path in sorted(root.glob(pattern)):
            status = path.stat()
            if stat.S_ISCHR(status.st_mode):
                nodes[str(path.relative_to(root))] = [stat.S_IMODE(status.st_mode), status.st_gid]
    return nodes


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(LONGEST)
    except OSError:
        return ""


if __name__ == "__main__":
    main()
