"""What a vendor's files are pinned to: nothing newer is published, but a file without a SHA-256 gets the one it has."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from coralline.errors import ImageError
from coralline.images.builder import BLOCKED
from coralline.images.locks import Change, Refreshed

FETCH_LIMIT_S = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorLock:
    """The pins of a vendor's files, each by digest and address."""

    name: str
    path: Path

    def refresh(self, *, upgrade: bool, write: bool = True) -> Refreshed:
        """Fetch the files, check them against their pins, and pin by SHA-256 what was not; only if `upgrade`.

        Raises:
            ImageError: the vendor does not answer, or has other files than the pinned ones.
        """
        before = self.path.read_text(encoding="utf-8")
        if not upgrade or not _weak(before):
            return Refreshed(name=self.name, path=self.path, changed=False)
        after = completed(before, self._fetched())
        if write:
            self.path.write_text(after, encoding="utf-8")
        old, new = _pins(before), _pins(after)
        told = tuple(Change(package=name, before=old[name], after=new[name]) for name in old if old[name] != new[name])
        return Refreshed(name=self.name, path=self.path, changed=bool(told), changes=told)

    def _fetched(self) -> dict[str, dict[str, str]]:
        fetch = self.path.parent.parent / "fetch.py"
        with tempfile.TemporaryDirectory(prefix="coralline-lock-") as folder:
            record = Path(folder, "record.json")
            command = [sys.executable, str(fetch), str(self.path), folder, str(record)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=FETCH_LIMIT_S)
            if done.returncode != 0:
                raise ImageError(done.stderr.strip().removeprefix(BLOCKED), hint="is this machine connected?")
            found: dict[str, dict[str, str]] = json.loads(record.read_text(encoding="utf-8"))
            return found


def completed(text: str, fetched: dict[str, dict[str, str]]) -> str:
    """Return the lock with the SHA-256 of every fetched file in the place of a weaker pin."""
    for name, facts in fetched.items():
        text = re.sub(rf"^md5:\S+ {re.escape(name)} ", f"sha256:{facts['sha256']} {name} ", text, flags=re.MULTILINE)
    return text


def _weak(text: str) -> bool:
    return any(pin.startswith("md5:") for pin in _pins(text).values())


def _pins(text: str) -> dict[str, str]:
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {name: pin for pin, name, *_ in lines}
