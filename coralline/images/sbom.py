"""Bills of materials: what an image really holds, with the hashes of its lock, as a CycloneDX document.

The image itself is asked, not its recipe; a package that is in one and not in the other is an error.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coralline.catalogue import PROJECT
from coralline.environments import Environment
from coralline.errors import ImageError
from coralline.images import builder, digests, kept
from coralline.images.built import EPOCH
from coralline.images.locks import PINNED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coralline.images import Images

HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
CONTAINER = ("run", "--rm", "--interactive", "--network", "none", "--read-only", "--cap-drop", "ALL")
NOBODY = "65534:65534"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """The document of an image as text, and how many parts of each kind it lists."""

    name: str
    text: str
    counts: dict[str, int]


def environment(home: Path) -> Environment:
    """Return the environment in which documents are written."""
    return Environment("sbom", PROJECT / "requirements" / "sbom.lock", home)


def bill(images: Images, name: str, home: Path, say: Callable[[str], None]) -> Bill:
    """Return the bill of materials of an image that the daemon has.

    Raises:
        ImageError: it is not built, or holds other Python packages than its lock.
    """
    known = digests.built(images, name)
    if known is None:
        raise ImageError(f"the image {name} is not built", hint=f"build it: ./run image.build {name}")
    told = _contents(known.image)
    _give_hashes(told, name, images.lock_path(name))
    told |= {
        "name": f"coralline-{name}",
        "version": images.tag(name).partition(":")[2],
        "image": known.id,
        "architecture": kept.facts(known.image)["Architecture"],
        "layers": known.layers,
        "epoch": EPOCH,
    }
    made = environment(home)
    made.ensure(say)
    return Bill(name=name, text=_document(made, told), counts=_counts(told))


def locked(text: str) -> dict[str, tuple[str, list[str]]]:
    """Return version and hashes of each package of a lock."""
    starts = list(PINNED.finditer(text))
    ends = [match.start() for match in starts[1:]] + [len(text)]
    return {
        re.sub(r"[-_.]+", "-", match[1]).lower(): (match[2], HASH.findall(text[match.start() : end]))
        for match, end in zip(starts, ends, strict=True)
    }


def _contents(image_id: str) -> dict[str, Any]:
    """Ask a container of the image."""
    command = [builder.client().program, *CONTAINER, "--user", NOBODY, image_id, "python3", "-"]
    script = (PROJECT / "docker" / "contents.py").read_text(encoding="utf-8")
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False, env=builder.environment())
    if done.returncode != 0:
        raise ImageError(
            f"the image {image_id} does not say what it holds", hint=done.stderr.strip()[-800:] or "./run doctor"
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _give_hashes(told: dict[str, Any], name: str, lock: Path) -> None:
    """Give each Python package the hashes that its lock allows; a vendor's wheels have the vendor's.

    Raises:
        ImageError: the packages are not those of the lock.
    """
    pins = locked(lock.read_text(encoding="utf-8")) if lock.exists() else {}
    brought = {file.split("-")[0].replace("_", "-").lower() for file in told["vendor"] if file.endswith(".whl")}
    there = {wheel["name"]: wheel["version"] for wheel in told["wheels"] if wheel["name"] not in brought}
    wanted = {package: version for package, (version, _) in pins.items()}
    if there != wanted:
        odd = sorted(package for package in there.keys() | wanted.keys() if there.get(package) != wanted.get(package))
        raise ImageError(
            f"the image {name} does not hold what its lock says: {', '.join(odd)}", hint=f"./run image.build {name}"
        )
    told["wheels"] = [wheel | {"hashes": pins[wheel["name"]][1]} for wheel in told["wheels"] if wheel["name"] in pins]


def _document(made: Environment, told: dict[str, Any]) -> str:
    command = [str(made.python), "-P", "-m", "coralline.images.bill"]
    surroundings = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, input=json.dumps(told), capture_output=True, text=True, check=False, env=surroundings
    )
    if done.returncode != 0:
        raise ImageError(f"no valid document for the image {told['name']}", hint=done.stderr.strip()[-800:])
    return done.stdout


def _counts(told: dict[str, Any]) -> dict[str, int]:
    parts = [*told["packages"], *told["wheels"]]
    return {
        "debian": len(told["packages"]),
        "python": len(told["wheels"]),
        "vendor": len(told["vendor"]),
        "without_licence": sum(not part["licences"] and not part.get("expression") for part in parts),
    }
