"""The bytes of a zip file's headers: of members of one name, size and checksum each there is one header and one list.

Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 (header of a member), 4.3.12 (list of members), 4.3.14 to 4.3.16
(its ends) and 4.5.3 (wide fields); where that leaves a choice, it is the one of Python's zipfile.
"""

from __future__ import annotations

import stat
import struct
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MODE = (stat.S_IFREG | 0o644) << 16
MOMENT = (1980, 1, 1, 0, 0, 0)  # the first that a zip file can say
UNIX, VERSION, WIDE_VERSION, UTF8 = 3, 20, 45, 0x800
DATE = (MOMENT[0] - 1980) << 9 | MOMENT[1] << 5 | MOMENT[2]
MOST_COUNT, MOST_OFFSET = 0xFFFF, (1 << 31) - 1  # from here on zipfile writes wide fields

ENTRY = b"PK\x01\x02"  # how each member begins in the list
LOCAL, LISTED, END = struct.Struct("<4s5H3L2H"), struct.Struct("<4s4B4H3L5H2L"), struct.Struct("<4s4H2LH")
WIDE_END, LOCATOR, WIDE_OFFSET = struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL"), struct.Struct("<2HQ")


def local(member: zipfile.ZipInfo) -> bytes:
    """Return the header that stands before the bytes of a member."""
    name = member.filename.encode()
    sizes = (member.CRC, member.file_size, member.file_size)
    return LOCAL.pack(b"PK\x03\x04", VERSION, _flags(name), zipfile.ZIP_STORED, 0, DATE, *sizes, len(name), 0) + name


def listed(members: Sequence[zipfile.ZipInfo], start: int, comment_bytes: int) -> bytes:
    """Return the list of members that begins at `start`, with its end, up to the comment."""
    entries = b"".join(map(_entry, members))
    count, size, offset = len(members), len(entries), start
    wide = b""
    if count > MOST_COUNT or offset > MOST_OFFSET:
        told = (WIDE_VERSION, WIDE_VERSION, 0, 0, count, count, size, offset)
        wide = WIDE_END.pack(b"PK\x06\x06", WIDE_END.size - 12, *told)
        wide += LOCATOR.pack(b"PK\x06\x07", 0, start + size, 1)
        count, offset = min(count, 0xFFFF), min(offset, 0xFFFFFFFF)
    return entries + wide + END.pack(b"PK\x05\x06", 0, 0, count, count, size, offset, comment_bytes)


def _entry(member: zipfile.ZipInfo) -> bytes:
    name, offset, extra, version = member.filename.encode(), member.header_offset, b"", VERSION
    if offset > MOST_OFFSET:
        offset, extra, version = 0xFFFFFFFF, WIDE_OFFSET.pack(1, 8, offset), WIDE_VERSION
    sizes = (member.CRC, member.file_size, member.file_size, len(name), len(extra), 0)
    versions, form = (version, UNIX, version, 0), (_flags(name), zipfile.ZIP_STORED, 0, DATE)
    return LISTED.pack(ENTRY, *versions, *form, *sizes, 0, 0, MODE, offset) + name + extra


def _flags(name: bytes) -> int:
    return 0 if name.isascii() else UTF8
