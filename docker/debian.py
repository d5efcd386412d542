"""Unpacks Debian packages of a lock without installing them: `debian.py LOCK ROOT [PACKAGE=FILE ...]`.

A lock's lines are `sha256:... NAME=VERSION`. A package with another digest is refused. One that is named with a file is
kept as it is, packed, in that file below ROOT, but for what it says of itself. What was unpacked is listed where tools
look for it in images without a package manager, `/var/lib/dpkg/status.d`. Runs in build stages.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

BLOCKED = "coralline-blocked: "  # the builder on the host looks for this word
APT = ("-o", "Acquire::Check-Valid-Until=false", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20")
PAPERS = ("--wildcards", "./usr/share/doc/*/copyright")


def main(lock: Path, root: Path, packed: dict[str, str]) -> None:
    """Fetch, check and unpack all packages of the lock."""
    pins = entries(lock)
    apt("update")
    apt("download", *sorted(pins))
    for wanted, pin in sorted(pins.items()):
        name = wanted.partition("=")[0]
        (file,) = Path().glob(f"{name}_*.deb")
        check(wanted, file, pin)
        if name in packed:
            keep(file, root / packed[name], root)
        else:
            subprocess.run(["dpkg-deb", "-x", file, root], check=True)
        tell(file, root / "var" / "lib" / "dpkg" / "status.d" / name)


def entries(lock: Path) -> dict[str, str]:
    """Read a lock: the digest of each `NAME=VERSION`."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    return {name: pin for pin, name in (line.split() for line in lines if line and not line.startswith("#"))}


def apt(*words: str) -> None:
    """Run apt-get; it fails where there is no network, and where the mirror has none of these versions any more."""
    own = ("-o", f"Acquire::https::CaInfo={Path('ca.crt').resolve()}") if Path("ca.crt").exists() else ()
    if subprocess.run(["apt-get", *APT, *own, *words], check=False).returncode:
        sys.exit(f"{BLOCKED}apt-get {words[0]} failed, see above")


def check(wanted: str, file: Path, pin: str) -> None:
    """Refuse a package that is not the pinned one."""
    digest = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    if digest != pin:
        sys.exit(f"{BLOCKED}{wanted} is not the pinned package: {digest}, expected {pin}")


def keep(file: Path, place: Path, root: Path) -> None:
    """Keep a package packed, with its licences beside those of the others."""
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, place)
    files = subprocess.run(["dpkg-deb", "--fsys-tarfile", file], capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", root, *PAPERS], input=files, check=True)


def tell(file: Path, place: Path) -> None:
    """List a package: its control fields."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(subprocess.run(["dpkg-deb", "-f", file], capture_output=True, check=True).stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), dict(word.split("=", 1) for word in sys.argv[3:]))
