"""An image of one layer as a docker-archive whose bytes depend on the layer alone: what `docker load` reads.

`docker import` would do, but it writes the current time into the image, so that its id differs each time.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, as images write it."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def config(layer: str, epoch: int, variables: list[str], labels: dict[str, str]) -> bytes:
    """Return the image's configuration (OCI image specification, config.md); the SHA-256 of it is the image's id."""
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    document: dict[str, Any] = {
        "architecture": "amd64",
        "config": {"Cmd": ["python3"], "Env": variables, "Labels": labels},
        "created": created,
        "history": [{"created": created, "created_by": "docker/base/debootstrap.sh"}],
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer]},
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def write(out: IO[bytes], root: Path, configuration: bytes, *, tag: str, epoch: int) -> str:
    """Write the archive of the configured image, whose only layer is the tar `root`; return the image's id."""
    name = hashlib.sha256(configuration).hexdigest()
    layer = json.loads(configuration)["rootfs"]["diff_ids"][0]
    place = f"{layer.removeprefix('sha256:')}/layer.tar"
    manifest = json.dumps([{"Config": f"{name}.json", "Layers": [place], "RepoTags": [tag]}]).encode()
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.USTAR_FORMAT) as archive, root.open("rb") as tar:
        archive.addfile(_entry(place, root.stat().st_size, epoch), tar)
        archive.addfile(_entry(f"{name}.json", len(configuration), epoch), io.BytesIO(configuration))
        archive.addfile(_entry("manifest.json", len(manifest), epoch), io.BytesIO(manifest))
    return f"sha256:{name}"


def _entry(name: str, size: int, epoch: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, epoch, 0o644
    return entry
