"""Writes an image into one file that all container tools read, the same bytes at every site: complete or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from coralline.errors import ProfileError
from coralline.images import archive, kept
from coralline.images.built import BESIDE, EPOCH
from coralline.images.saved import Saved

if TYPE_CHECKING:
    from collections.abc import Callable


def export(image_id: str, tag: str, out: Path, tell: Callable[[int, int], None] = lambda *_: None) -> str:
    """Write an image that the daemon has under a name to `out`; return the SHA-256 of the file.

    `tell` gets the bytes that are done of about how many.

    Raises:
        ProfileError: the file cannot be written there.
        ImageError: the daemon cannot save the image, or its layers are not what their digests say.
    """
    found = kept.facts(image_id)
    total = 2 * int(found["Size"])  # read once, written once
    try:
        with tempfile.TemporaryDirectory(prefix=BESIDE, dir=out.parent) as folder:
            whole, made = Path(folder, "saved.tar"), Path(folder, "made.tar")
            kept.save(image_id, whole, lambda done: tell(done, total))
            with Saved(whole) as saved, saved.layers(Path(folder)) as layers, made.open("xb") as file:
                told = cast("IO[bytes]", _Told(file, lambda done: tell(total // 2 + done, total)))
                archive.write(told, layers, archive.normalised(found, EPOCH), tag=tag, epoch=EPOCH)
                file.flush()
                os.fsync(file.fileno())
            made.replace(out)
    except OSError as error:
        raise ProfileError(
            f"{str(out)!r} cannot be written: {error.strerror}", hint="give a file in a folder that is there, with room"
        ) from error
    return archive.digest(out)


class _Told:
    """A file that tells how much was written to it."""

    def __init__(self, file: IO[bytes], tell: Callable[[int], None]) -> None:
        self._file, self._tell = file, tell

    def write(self, piece: bytes) -> int:
        """Write the bytes."""
        written = self._file.write(piece)
        self._tell(self._file.tell())
        return written
