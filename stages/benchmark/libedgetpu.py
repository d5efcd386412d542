"""Which libedgetpu is installed: `std` (the array at 250 MHz) or `max` (500 MHz), as its package says.

The library itself does not tell. The two packages exclude each other (google-coral/libedgetpu, debian/control); where
the traces disagree, or there are none, the answer is None and never a guess.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Iterator, Optional

PACKAGE = re.compile(r"libedgetpu1-(std|max)(?:_|$)")
VENDOR = "opt/coralline/vendor.json"  # what the image's build fetched
INSTALLED = re.compile(r"^Package: (libedgetpu1-(?:std|max))$(?:\n.+)*?\nStatus: \S+ \S+ installed$", re.MULTILINE)


def variant(root: Path = Path("/")) -> Optional[str]:
    """Return `std`, `max`, or None when that cannot be told."""
    found = {match[1] for name in _names(root) for match in [PACKAGE.match(name)] if match}
    return found.pop() if len(found) == 1 else None


def _names(root: Path) -> Iterator[str]:
    """Yield names of packages: from what was fetched, the package's own documents, and dpkg."""
    yield from _fetched(root / VENDOR)
    yield from (path.name for path in (root / "usr/share/doc").glob("libedgetpu1-*"))
    yield from INSTALLED.findall(_text(root / "var/lib/dpkg/status"))


def _fetched(path: Path) -> Iterator[str]:
    try:
        told = json.loads(_text(path) or "{}")
    except ValueError:
        return
    if isinstance(told, dict):
        yield from told


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
