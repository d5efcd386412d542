"""Which locked packages a run was made with, as files: those of the project that are still what a record names."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from coralline.catalogue import PROJECT
from coralline.images.built import digest_of_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def gather(records: Iterable[Mapping[str, Any]], project: Path = PROJECT) -> tuple[dict[str, bytes], set[str]]:
    """Return the locks of the records' images by member, and the names of images whose lock has changed since."""
    found, changed = dict[str, bytes](), set[str]()
    for record in records:
        image = record["key_parts"]["image"]
        if "lock" in image:  # a vendor's image may have no packages of ours
            path = project / "docker" / image["name"] / "requirements.lock"
            if _is_it(path, image):
                content = path.read_bytes()
                found[f"locks/{image['name']}-{hashlib.sha256(content).hexdigest()[:16]}.lock"] = content
            else:
                changed.add(image["name"])
    return found, changed


def _is_it(path: Path, image: Mapping[str, str]) -> bool:
    """Whether a file is the lock that a key names; the two engines take its digest in different ways."""
    if not path.is_file():
        return False
    local = image["engine"] == "local"
    return image["lock"] == (hashlib.sha256(path.read_bytes()).hexdigest() if local else digest_of_files((path,)))
