"""Where a site without network takes packages and images from: a folder of `./run pack`, each file checked first.

`./run --offline DIR` names it. Once environments and images are made from it nothing here is asked again.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from coralline.errors import ImageError, ProfileError

VARIABLE = "CORALLINE_OFFLINE"  # as `run` sets it
SUMS = "SHA256SUMS"  # the form that sha256sum -c reads
WHEELS, IMAGES = "wheels", "images"
LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
LARGEST_SUMS_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class Pack:
    """A packed folder."""

    folder: Path

    @classmethod
    def given(cls) -> Pack | None:
        """Return the folder that the user named with --offline, if any."""
        told = os.environ.get(VARIABLE)
        return cls(Path(told)) if told else None

    def sums(self) -> dict[str, str]:
        """Return the digest of each file by its path, as listed.

        Raises:
            ProfileError: the list is missing or is none.
        """
        try:
            with (self.folder / SUMS).open(encoding="utf-8") as file:
                found = [LINE.fullmatch(line) for line in file.read(LARGEST_SUMS_BYTES).splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise ProfileError(f"{self.folder} is not a packed folder: {error}", hint="make one: ./run pack") from error
        named = {match[2]: match[1] for match in found if match}
        if len(named) != len(found) or any(_leaves(path) for path in named):
            raise ProfileError(f"{self.folder / SUMS} is damaged", hint="copy the folder again, or pack again")
        return named

    def wheels(self, lock: Path) -> Path:
        """Return the folder of wheels, those that a lock wants checked.

        Raises:
            ImageError: one of them is missing or damaged.
        """
        wanted = set(re.findall(r"sha256:([0-9a-f]{64})", lock.read_text(encoding="utf-8")))
        self._check({path: digest for path, digest in self.sums().items() if digest in wanted})
        return self.folder / WHEELS

    def image(self, name: str) -> Path | None:
        """Return the archive of an image, checked, or None when it was not packed.

        Raises:
            ImageError: it is damaged.
        """
        path = f"{IMAGES}/{name}.tar"
        sums = self.sums()
        if path not in sums:
            return None
        self._check({path: sums[path]})
        return self.folder / path

    def _check(self, sums: dict[str, str]) -> None:
        for path, expected in sorted(sums.items()):
            found = digest(self.folder / path)
            if found != expected:
                what = "missing" if found is None else f"damaged: SHA-256 {found}, expected {expected}"
                raise ImageError(f"{self.folder / path} is {what}", hint="copy the folder again, or pack again")


def digest(path: Path) -> str | None:
    """Return the SHA-256 of a file, or None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _leaves(path: str) -> bool:
    pure = PurePosixPath(path)
    return pure.is_absolute() or ".." in pure.parts
