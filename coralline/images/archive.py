"""An image as one archive whose bytes depend on its layers and configuration alone, which every container tool reads.

The archive is an OCI image layout (image-layout.md of the OCI image specification) with Docker's `manifest.json` beside
it, as Docker writes itself since version 25: `docker load`, podman, skopeo and Apptainer find the same blobs in it.
Layers are not compressed, so that a layer's digest is that of its content, whatever compressor a tool has.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from coralline.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

CHUNK = 1 << 20
KEPT = ("Cmd", "Entrypoint", "Env", "Labels", "StopSignal", "User", "WorkingDir")  # what a stage's container takes over
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIGURATION = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer: the digest and size of its tar, and how to read it."""

    digest: str
    size_bytes: int
    open: Callable[[], IO[bytes]]


def layer_of(path: Path) -> Layer:
    """Return a tar as a layer."""
    return Layer(digest=digest(path), size_bytes=path.stat().st_size, open=lambda: path.open("rb"))


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, as images write it."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def config(layer: str, epoch: int, variables: list[str], labels: dict[str, str]) -> bytes:
    """Return the configuration of a base; the SHA-256 of it is the image's id."""
    settings = {"Cmd": ["python3"], "Env": variables, "Labels": labels}
    return _configuration(("amd64", "linux"), settings, [layer], epoch)


def normalised(known: Mapping[str, Any], epoch: int) -> bytes:
    """Return the configuration that an image has wherever and by whichever builder it was built.

    `known` is what the daemon says of it. When it was built, by what, and the builder's own notes are left out.
    """
    settings = {name: known["Config"][name] for name in KEPT if known["Config"].get(name)}
    return _configuration((known["Architecture"], known["Os"]), settings, known["RootFS"]["Layers"], epoch)


def _configuration(platform: tuple[str, str], settings: Mapping[str, Any], layers: Sequence[str], epoch: int) -> bytes:
    """Write a configuration (config.md of the OCI image specification)."""
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    return _canonical(
        {
            "architecture": platform[0],
            "config": settings,
            "created": created,
            "history": [{"created": created, "created_by": "coralline"} for _ in layers],
            "os": platform[1],
            "rootfs": {"type": "layers", "diff_ids": list(layers)},
        }
    )


def write(out: IO[bytes], layers: Iterable[Layer], configuration: bytes, *, tag: str, epoch: int) -> str:
    """Write the archive of the configured image under a name; return the image's id.

    Without layers it is of use to a Docker daemon that has them already.

    Raises:
        ImageError: a layer's bytes are not those of its digest; what was written so far is of no use.
    """
    blobs = {layer.digest: layer for layer in layers}
    there = json.loads(configuration)["rootfs"]["diff_ids"]
    listed = [blobs[digest] for digest in there if digest in blobs]
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, bufsize=CHUNK) as archive:
        for name, content in _documents(configuration, there, listed, tag):
            archive.addfile(_entry(name, len(content), epoch), io.BytesIO(content))
        for name in sorted(blobs):
            with blobs[name].open() as tar:
                checked = _Checked(tar)
                archive.addfile(_entry(_place(name), blobs[name].size_bytes, epoch), checked)
            checked.expect(name)
    return _digest(configuration)


def _documents(configuration: bytes, there: list[str], listed: list[Layer], tag: str) -> Iterator[tuple[str, bytes]]:
    """Yield the small files: first what says where everything is."""
    image_id = _digest(configuration)
    for_docker = [{"Config": _place(image_id), "Layers": [_place(digest) for digest in there], "RepoTags": [tag]}]
    if listed:
        yield from _layout(configuration, listed, tag)
    yield "manifest.json", _canonical(for_docker)
    yield _place(image_id), configuration


def _layout(configuration: bytes, layers: list[Layer], tag: str) -> Iterator[tuple[str, bytes]]:
    """Yield what the OCI image layout has beside the blobs that Docker's manifest names."""
    image_id = _digest(configuration)
    described = {"mediaType": CONFIGURATION, "digest": image_id, "size": len(configuration)}
    blobs = [{"mediaType": LAYER, "digest": layer.digest, "size": layer.size_bytes} for layer in layers]
    manifest = _canonical({"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": blobs})
    names = {
        "io.containerd.image.name": f"docker.io/library/{tag}",  # containerd, and Docker where it stores images there
        "org.opencontainers.image.ref.name": tag,  # podman and skopeo
    }
    place = _digest(manifest)
    entry = {"mediaType": MANIFEST, "digest": place, "size": len(manifest), "annotations": names}
    yield "oci-layout", _canonical({"imageLayoutVersion": "1.0.0"})
    yield "index.json", _canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})
    yield _place(place), manifest


class _Checked(io.RawIOBase):
    """Passes bytes on and knows their digest."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        piece = self._source.read(size)
        self._hash.update(piece)
        return piece

    def expect(self, digest: str) -> None:
        """Raise ImageError unless all that was read has the digest."""
        found = f"sha256:{self._hash.hexdigest()}"
        if found != digest:
            raise ImageError(f"a layer is not what its digest says: {found}, expected {digest}", hint="build it again")


def _place(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _canonical(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _entry(name: str, size: int, epoch: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, epoch, 0o644
    return entry
