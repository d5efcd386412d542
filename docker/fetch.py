"""Fetches what a vendor publishes, by checksum: `fetch.py LOCK FOLDER RECORD`; `fetch.py --probe LOCK` only asks.

A lock's lines are `sha256:... NAME URL [URL...]`, or `md5:...` where no SHA-256 was ever published. A file with another
digest is refused. What was fetched, with its SHA-256, is written to RECORD. Ends within seconds when a host is out of
reach. Runs in build stages, on Python 3.9 and later.
"""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

TIMEOUT_S = 10
BLOCKED = "coralline-blocked: "  # the builder on the host looks for this word


def main(lock: Path, folder: Path, record: Path) -> None:
    """Fetch all files of the lock."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {}
    for digest, name, urls in entries(lock):
        data = fetch(name, urls)
        check(name, data, digest)
        (folder / name).write_bytes(data)
        facts[name] = {"pin": digest, "sha256": hashlib.sha256(data).hexdigest()}
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def probe(lock: Path) -> None:
    """Ask every host of the lock whether it is there, and fetch nothing."""
    for _, name, urls in entries(lock):
        fetch(name, urls, method="HEAD")


def entries(lock: Path) -> list[tuple[str, str, list[str]]]:
    """Read a lock: digest, name and addresses of each file."""
    lines = (
        line.split() for line in lock.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    )
    return [(digest, name, urls) for digest, name, *urls in lines]


def fetch(name: str, urls: list[str], method: str = "GET") -> bytes:
    """Return the file's bytes from the first address that has it."""
    reasons = []
    for url in urls:
        request = urllib.request.Request(url, method=method)  # noqa: S310 - the lock has only https
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=trust()) as answer:  # noqa: S310
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if method == "HEAD":  # it answers, which is all that a probe wants to know
                return b""
            reasons.append(f"{urllib.parse.urlsplit(url).hostname}: HTTP status {error.code}")
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reasons.append(f"{urllib.parse.urlsplit(url).hostname}: {reason_of(error)}")
    sys.exit(f"{BLOCKED}{name} cannot be fetched from {'; '.join(dict.fromkeys(reasons))}")


def trust() -> ssl.SSLContext:
    """Return the system's certificate authorities, and the host's own when it gave them to the build."""
    context = ssl.create_default_context()
    if Path("ca.crt").exists():
        context.load_verify_locations("ca.crt")
    return context


def reason_of(error: Exception) -> str:
    """Say in a few words why an address did not answer."""
    inner = getattr(error, "reason", error)
    if isinstance(inner, socket.gaierror):
        return "the name is not known here (no network?)"
    if isinstance(inner, TimeoutError):
        return f"no answer in {TIMEOUT_S} s"
    return str(inner)


def check(name: str, data: bytes, pin: str) -> None:
    """Refuse a file that is not the pinned one."""
    kind, _, expected = pin.partition(":")
    found = hashlib.new(kind, data).hexdigest()
    if found != expected:
        sys.exit(f"{BLOCKED}{name} is not the pinned file: {kind} {found}, expected {expected}")


if __name__ == "__main__":
    if sys.argv[1] == "--probe":
        probe(Path(sys.argv[2]))
    else:
        main(*(Path(argument) for argument in sys.argv[1:4]))
