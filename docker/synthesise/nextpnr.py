#!/usr/bin/python3
"""Runs nextpnr-ice40 out of Debian's package, which is a seventh of its size; nothing is written to a disk.

A package is an archive of `ar` with a tar file in it (deb(5)). The program goes to a file in memory, from where it can
run even though no file system of a step's container allows that for what was written to it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
from pathlib import Path

PACKAGE = Path("/opt/coralline/nextpnr-ice40.deb")
PROGRAM = "./usr/bin/nextpnr-ice40"
MAGIC, HEADER = b"!<arch>\n", 60  # ar(5)


def main() -> None:
    """Become the program, with the words that this one was called with."""
    memory = os.memfd_create("nextpnr-ice40")
    with PACKAGE.open("rb") as package, os.fdopen(os.dup(memory), "wb") as program:
        seek_data(package)
        with tarfile.open(fileobj=package, mode="r|xz") as data:
            found = next(data.extractfile(member) for member in data if member.name == PROGRAM)
            shutil.copyfileobj(found, program, 1 << 20)
    os.execv(f"/proc/self/fd/{memory}", ["nextpnr-ice40", *sys.argv[1:]])  # noqa: S606 - no shell is wanted


def seek_data(package) -> None:  # noqa: ANN001 - a file that is read
    """Go to where the archive's member data.tar.xz begins."""
    if package.read(len(MAGIC)) != MAGIC:
        sys.exit(f"{PACKAGE} is no Debian package")
    while header := package.read(HEADER):
        name, size = header[:16].strip().rstrip(b"/"), int(header[48:58])
        if name == b"data.tar.xz":
            return
        package.seek(size + size % 2, os.SEEK_CUR)
    sys.exit(f"{PACKAGE} holds no data.tar.xz")


if __name__ == "__main__":
    main()
