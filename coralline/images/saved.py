"""Reads an image from an archive, of this daemon or of another site: bounded, and no file is unpacked.

Docker's `manifest.json` says which members are the configuration and the layers; every version of Docker writes it, and
`coralline/images/archive.py` does.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tempfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Self, cast

from coralline.errors import ImageError
from coralline.images.archive import CHUNK, Layer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

MOST_MEMBERS = 10_000
LARGEST_DOCUMENT = 4 << 20  # bytes of a manifest or configuration
LARGEST_LAYER = 64 << 30  # bytes of a layer once it is decompressed
LARGEST_READ = 16 << 20  # bytes at once: a header of a tar is held in memory, and says itself how long it is
DAMAGED = (tarfile.TarError, EOFError, OSError, ValueError, RecursionError)  # headers can be nested in headers
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class Saved:
    """An archive of one image: its configuration, the names that it was saved under, and its layers, lowest first."""

    def __init__(self, path: Path) -> None:
        """Open the archive.

        Raises:
            ImageError: it is not an archive of one image.
        """
        self._path = path
        try:
            self._file = _Bounded(path)
        except OSError as error:
            raise self._refused(error.strerror or str(error)) from error
        try:
            self._tar = self._opened_as_tar()
            self._members = self._listed()
            self.names, self.configuration, self._layers = self._read()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tar.close()
        self._file.close()

    @property
    def digests(self) -> list[str]:
        """The digests of the layers, as the configuration tells them."""
        return list(self.configuration["rootfs"]["diff_ids"])

    @contextmanager
    def layers(self, folder: Path) -> Iterator[list[Layer]]:
        """Give the layers as tars; compressed ones are unpacked below `folder` and gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="coralline-layers-", dir=folder) as place:
            yield [
                self._layer(digest, member, place) for digest, member in zip(self.digests, self._layers, strict=True)
            ]

    def _opened_as_tar(self) -> tarfile.TarFile:
        try:
            return tarfile.open(fileobj=self._file, mode="r:")
        except DAMAGED as error:
            raise self._refused(f"it is no tar archive ({error})") from error

    def _listed(self) -> dict[str, tarfile.TarInfo]:
        found: dict[str, tarfile.TarInfo] = {}
        try:
            for member in self._tar:
                found[member.name] = member
                if len(found) > MOST_MEMBERS:
                    raise self._refused(f"it has more than {MOST_MEMBERS} members")
        except DAMAGED as error:
            raise self._refused(f"it is damaged ({error})") from error
        return found

    def _read(self) -> tuple[list[str], dict[str, Any], list[tarfile.TarInfo]]:
        manifest = self._json("manifest.json")
        if not isinstance(manifest, list) or len(manifest) != 1 or not isinstance(manifest[0], dict):
            raise self._refused("its manifest.json is not that of one image")
        told = manifest[0]
        names, listed = _words(told.get("RepoTags") or []), _words(told.get("Layers"))
        if names is None or listed is None or not isinstance(told.get("Config"), str):
            raise self._refused("its manifest.json names no configuration, or no layers")
        configuration = self._json(told["Config"])
        root = configuration.get("rootfs") if isinstance(configuration, dict) else None
        digests = _words(root.get("diff_ids")) if isinstance(root, dict) else None
        if digests is None or len(digests) != len(listed):
            raise self._refused("its configuration does not tell the layers that the manifest names")
        return names, configuration, [self._member(name) for name in listed]

    def _json(self, name: str) -> Any:
        member = self._member(name)
        if member.size > LARGEST_DOCUMENT:
            raise self._refused(f"{name} is larger than any should be ({member.size} B)")
        try:
            return json.loads(self._opened(member).read())
        except (ValueError, RecursionError) as error:
            raise self._refused(f"{name} is not JSON") from error

    def _member(self, name: str) -> tarfile.TarInfo:
        """Find a member; before version 25 Docker wrote a layer that occurs twice as a link to the first."""
        member = self._members.get(name)
        if member is not None and member.issym():
            last = "/".join(member.linkname.split("/")[-2:])
            member = self._members.get(last)
        if member is None or not member.isreg():
            raise self._refused(f"it has no file {name!r}")
        return member

    def _opened(self, member: tarfile.TarInfo) -> IO[bytes]:
        return cast("IO[bytes]", self._tar.extractfile(member))  # None is for what is no file: `_member` sees to that

    def _layer(self, digest: str, member: tarfile.TarInfo, folder: str) -> Layer:
        begin = self._opened(member).read(len(ZSTD))
        if begin == ZSTD:
            raise self._refused("a layer is compressed with zstd, which nothing here reads")
        if not begin.startswith(GZIP):
            return Layer(digest=digest, size_bytes=member.size, open=lambda: self._opened(member))
        plain = self._decompressed(member, folder)
        return Layer(digest=digest, size_bytes=plain.stat().st_size, open=lambda: plain.open("rb"))

    def _decompressed(self, member: tarfile.TarInfo, folder: str) -> Path:
        from pathlib import Path

        with (
            tempfile.NamedTemporaryFile(dir=folder, delete=False) as out,
            gzip.open(self._opened(member)) as source,
        ):
            while piece := self._piece(source):
                out.write(piece)
                if out.tell() > LARGEST_LAYER:
                    raise self._refused("a layer is larger than any should be")
        return Path(out.name)

    def _piece(self, source: gzip.GzipFile) -> bytes:
        try:
            return source.read(CHUNK)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise self._refused(f"a layer is damaged ({error})") from error

    def _refused(self, why: str) -> ImageError:
        return ImageError(
            f"{self._path.name} is not an archive of an image: {why}", hint="write one: ./run image.save NAME --to FILE"
        )


class _Bounded(io.FileIO):
    """A file that is read in pieces of a bounded size."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        if size is None or not 0 <= size <= LARGEST_READ:
            raise tarfile.ReadError(f"a header of {size} B")
        return super().read(size)


def _words(value: Any) -> list[str] | None:
    return value if isinstance(value, list) and all(isinstance(word, str) for word in value) else None
