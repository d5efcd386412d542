"""Says what an image holds, as JSON: Debian packages, Python packages and a vendor's files, each with its licences.

Sent into a container of the image on standard input, so it reads files only, and runs on Python 3.9 and later.
"""

from __future__ import annotations

import json
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Iterator

SITE = "opt/coralline/site"
VENDOR = "opt/coralline/vendor.json"
LONGEST_NAME = 100  # a licence's name; some packages have the whole text in its place
CLASSIFIER = "License :: "
NAMED = re.compile(r"^License:[ \t]*(\S.*)$", re.MULTILINE)  # copyright-format 1.0, the short names
COMMON = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9+])")


def main(root: Path) -> None:
    """Print what is below `root`."""
    vendor = root / VENDOR
    told = {
        "release": release(root / "etc" / "os-release"),
        "packages": list(packages(root)),
        "wheels": sorted(wheels(root / SITE), key=lambda wheel: str(wheel["name"])),
        "vendor": json.loads(vendor.read_text(encoding="utf-8")) if vendor.exists() else {},
    }
    json.dump(told, sys.stdout)


def release(path: Path) -> str:
    """Return the code name of the Debian release."""
    found = re.search(r"^VERSION_CODENAME=(\w+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else ""


def packages(root: Path) -> Iterator[dict[str, object]]:
    """List the Debian packages in the order of their names: those installed, and those that were only unpacked."""
    folder = root / "var" / "lib" / "dpkg"
    entries = [dict(fields(paragraph)) for paragraph in (folder / "status").read_text(encoding="utf-8").split("\n\n")]
    installed = [entry for entry in entries if entry.get("Status", "").endswith(" installed")]
    unpacked = [dict(fields(path.read_text(encoding="utf-8"))) for path in (folder / "status.d").glob("*")]
    for entry in sorted(installed + unpacked, key=lambda entry: entry["Package"]):
        name = entry["Package"]
        yield {
            "name": name,
            "version": entry["Version"],
            "architecture": entry["Architecture"],
            "source": entry.get("Source", name).split(" ")[0],
            "licences": debian_licences(root / "usr" / "share" / "doc" / name / "copyright"),
        }


def fields(paragraph: str) -> Iterator[tuple[str, str]]:
    """Read the fields of one paragraph; only their first lines."""
    for line in paragraph.splitlines():
        name, colon, value = line.partition(":")
        if colon and not line.startswith((" ", "\t")):
            yield name, value.strip()


def debian_licences(path: Path) -> list[str]:
    """Return the licences that a copyright file names, or else the common ones that it points to."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    named = NAMED.findall(text) if text.lstrip().startswith("Format:") else []
    return sorted({name.strip() for name in named or COMMON.findall(text) if len(name) <= LONGEST_NAME})


def wheels(site: Path) -> Iterator[dict[str, object]]:
    """List the Python packages, with the licence as each tells it: an expression, a short name, or classifiers."""
    for found in metadata.distributions(path=[str(site)]):
        about = found.metadata
        name = about["Name"]
        licence = (about.get("License") or "").strip()
        classifiers = [line for line in about.get_all("Classifier") or [] if line.startswith(CLASSIFIER)]
        is_short = licence and "\n" not in licence and len(licence) <= LONGEST_NAME and licence != "UNKNOWN"
        yield {
            "name": re.sub(r"[-_.]+", "-", name).lower(),
            "version": found.version,
            "expression": about.get("License-Expression"),
            "licences": [licence] if is_short else sorted({line.rpartition(" :: ")[2] for line in classifiers}),
        }


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("/"))
