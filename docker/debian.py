"""Unpacks Debian packages of a lock without installing them: `debian.py LOCK ROOT [PACKAGE=FILE ...]`.

A lock's lines are `sha256:... NAME=VERSION`. A package with another digest is refused. One that is named with a file is
kept as it is, packed, in that file below ROOT. Runs in build stages.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

BLOCKED = "coralline-blocked: "  # the builder on the host looks for this word
APT = ("-o", "Acquire::Check-Valid-Until=false", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20")


def main(lock: Path, root: Path, packed: dict[str, str]) -> None:
    """Fetch, check and unpack all packages of the lock."""
    pins = dict(reversed(line.split()) for line in lock.read_text(encoding="utf-8").splitlines() if line[:1] != "#")
    apt("update")
    apt("download", *sorted(pins))
    for wanted, pin in sorted(pins.items()):
        name = wanted.partition("=")[0]
        (file,) = Path().glob(f"{name}_*.deb")
        digest = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
        if digest != pin:
            sys.exit(f"{BLOCKED}{wanted} is not the pinned package: {digest}, expected {pin}")
        if name in packed:
            place = root / packed[name]
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
        else:
            subprocess.run(["dpkg-deb", "-x", file, root], check=True)


def apt(*words: str) -> None:
    """Run apt-get; what it cannot have, the mirror does not have in this version any more, or there is no network."""
    own = ("-o", "Acquire::https::CaInfo=/build/ca.crt") if Path("ca.crt").exists() else ()
    subprocess.run(["apt-get", *APT, *own, *words], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), dict(word.split("=", 1) for word in sys.argv[3:]))
