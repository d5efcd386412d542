"""Unpacks the images of zip files and nothing else: no file leaves the target folder, nothing grows without bound.

Only `<split>/<class>/*.png` (or `.jpg`, `.jpeg`) is written, also below one folder on top; in `train.zip` beside
`test.zip` the split may be the name of the file.
"""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Tuple

from stages.contract import InputError
from stages.dataset.layout import ENDINGS, SPLITS, printable
from stages.dataset.png import MAX_BYTES
from stages.images import quoted
from stages.zipped import PACKED

if TYPE_CHECKING:
    from pathlib import Path

    from stages.dataset.index import Progress

MAX_MEMBERS = 5_000_000
MAX_RATIO = 200  # of PNG and JPEG files, which are compressed already, a zip file holds about 1:1
MAX_TOTAL_BYTES = 2**40
LONGEST_NAME = 255
GIBIBYTE = 2**30
SAFE_REMEDY = "make the zip file anew from the plain image files, or give the folder itself"


@dataclass
class Contents:
    """What one zip file holds: the images with their places (split, class, name), and what is no image."""

    path: Path
    images: List[Tuple[zipfile.ZipInfo, Tuple[str, str, str]]] = field(default_factory=list)
    ignored: List[str] = field(default_factory=list)


def find(data: Path) -> List[Path]:
    """Return the zip files that `data` is or holds; none when it is a folder with splits."""
    if data.is_file():
        return [data]
    if any((data / split).is_dir() for split in SPLITS):
        return []
    return sorted(path for path in data.glob("*.zip") if path.is_file() and not path.name.startswith("."))


def extract(archives: Sequence[Path], target: Path, progress: Progress) -> Tuple[List[Dict[str, str]], List[str]]:
    """Write the images of all archives below `target`; return those that are damaged, and names of what is no image.

    Raises:
        InputError: an archive is not a zip file, encrypted, holds unsafe names or links, or too much.
    """
    contents = [_look(path) for path in archives]
    _check_twice([place for found in contents for _, place in found.images])
    _check_room(contents, target)
    bad: List[Dict[str, str]] = []
    total, done = sum(len(found.images) for found in contents), 0
    for found in contents:
        with zipfile.ZipFile(found.path) as archive:
            for info, place in found.images:
                reason = _write(archive, info, target.joinpath(*place))
                if reason is not None:
                    bad.append({"path": "/".join(place), "reason": reason})
                done += 1
                progress(done, total)
    return bad, [name for found in contents for name in found.ignored]


def _look(path: Path) -> Contents:
    """Read the directory of a zip file and check everything that it says."""
    contents = Contents(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError("'%s' is not a readable zip file: %s" % (path.name, error), SAFE_REMEDY) from error
    if len(members) > MAX_MEMBERS:
        raise _unsafe(path, "it holds %d files, at most %d are read" % (len(members), MAX_MEMBERS))
    for info in members:
        parts = _parts(path, info)
        if info.is_dir() or any(part.startswith(".") or part == "__MACOSX" for part in parts):
            continue
        place = _place(parts, path.stem)
        if place is not None and place[-1].lower().endswith(ENDINGS):
            _check_member(path, info)
            contents.images.append((info, place))
        elif place is not None or set(parts) & set(SPLITS):  # a file beside the splits is usual
            contents.ignored.append(printable(info.filename))
    return contents


def _parts(path: Path, info: zipfile.ZipInfo) -> Tuple[str, ...]:
    """Split a member's name, refused when it could leave the folder or surprise another system."""
    name = info.filename
    parts = tuple(name.rstrip("/").split("/"))
    if "\\" in name or ":" in parts[0] or any(part in {"", ".", ".."} for part in parts):
        raise _unsafe(path, "the name %r does not stay in one folder" % name)
    if any(len(part.encode("utf-8", "surrogatepass")) > LONGEST_NAME for part in parts):
        raise _unsafe(path, "a name is longer than %d bytes: %r" % (LONGEST_NAME, name[:80]))
    return parts


def _place(parts: Tuple[str, ...], stem: str) -> Optional[Tuple[str, str, str]]:
    """Split, class and name of a member, or None when it does not lie where images do."""
    if len(parts) in {3, 4} and parts[-3] in SPLITS:
        return parts[-3], parts[-2], parts[-1]
    if len(parts) in {2, 3} and stem in SPLITS:
        return stem, parts[-2], parts[-1]
    return None


def _check_member(path: Path, info: zipfile.ZipInfo) -> None:
    """Refuse what is no plain file: links, devices, encrypted, unusually packed or oversized members."""
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        raise _unsafe(path, "'%s' is a link or a device" % info.filename)
    if info.flag_bits & 0x1:
        raise _unsafe(path, "'%s' is encrypted" % info.filename)
    if info.compress_type not in PACKED:
        raise _unsafe(path, "'%s' is neither stored nor deflated" % info.filename)
    if info.file_size > MAX_BYTES:
        raise _unsafe(path, "'%s' has %d bytes, at most %d are read" % (info.filename, info.file_size, MAX_BYTES))


def _check_twice(places: Sequence[Tuple[str, str, str]]) -> None:
    """Refuse two members for one place: which one counts would be chance."""
    seen = set()
    for place in places:
        if place in seen:
            raise InputError("the zip files hold %s twice" % quoted(["/".join(place)]), "remove one of the two")
        seen.add(place)


def _check_room(contents: Sequence[Contents], target: Path) -> None:
    """Refuse what is out of proportion, and what the disk cannot hold."""
    total = 0
    for found in contents:
        size = sum(info.file_size for info, _ in found.images)
        if size > MAX_RATIO * found.path.stat().st_size:
            raise _unsafe(found.path, "it grows more than %d times when unpacked" % MAX_RATIO)
        total += size
    target.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target).free
    if total > min(free, MAX_TOTAL_BYTES):
        raise InputError(
            "the images need %.1f GiB unpacked, %.1f GiB are free" % (total / GIBIBYTE, free / GIBIBYTE),
            "free disk space, or unpack the zip file elsewhere and give the folder: it is not copied",
        )


def _write(archive: zipfile.ZipFile, info: zipfile.ZipInfo, place: Path) -> Optional[str]:
    """Write one member and return why it is damaged, if it is; `zipfile` never gives more bytes than it declared."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        with archive.open(info) as source, place.open("xb") as file:
            shutil.copyfileobj(source, file)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        place.unlink(missing_ok=True)
        return "damaged in the zip file: %s" % (str(error) or type(error).__name__)
    return None


def _unsafe(path: Path, reason: str) -> InputError:
    return InputError("the zip file '%s' is refused: %s" % (path.name, reason), SAFE_REMEDY)
