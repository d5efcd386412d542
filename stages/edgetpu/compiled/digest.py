"""A digest of a compiled file that is the same whenever the compiler did the same.

Two compilations of one model differ in the parameter caching token, eight bytes in each executable, which is another
one in every run. Files that carry metadata end with a zip archive, in which the date and time of each packed file
differ: they are those of the moment of packing. These bytes count as zeros; all others count as they are.
"""

from __future__ import annotations

import hashlib
from typing import Iterator, List, Tuple

from stages.edgetpu.compiled.operator import CUSTOM_CODE, read_custom_operator
from stages.tflite.flat import UINT16, UINT32, UINT64, WIDTHS, Buffer, MalformedFile, Octets
from stages.tflite.model import read_model

# The parts of a zip archive: mark, length of the fixed part, place of the time and date in it (PKWARE APPNOTE 4.3).
END, END_LENGTH = b"PK\5\6", 22
ENTRY, ENTRY_LENGTH, ENTRY_TIME = b"PK\1\2", 46, 12
LOCAL, LOCAL_TIME = b"PK\3\4", 10
TIME_LENGTH = 4

Place = Tuple[int, int]  # first byte and length


def masked_digest(content: bytes) -> str:
    """Compute the SHA-256 of a compiled file with its tokens and times of packing set to zero, in hexadecimal.

    Files with the same digest differ in nothing else: the masked bytes are found again in the masked file, at the
    same places, so the places are told by the bytes that count.

    Raises:
        MalformedFile: it is no TFLite file, it is damaged, or a token lies where something else must stand.
    """
    read_model(content)  # refuses what is no TFLite file
    masked, places = bytearray(content), _varying(content)
    for first, length in places:
        masked[first : first + length] = bytes(length)
    if _varying(masked) != places:
        raise MalformedFile("its parameter caching token overlaps its structure")
    return hashlib.sha256(masked).hexdigest()


def _varying(content: Octets) -> List[Place]:
    return [*_tokens(content), *_packing_times(Buffer(content))]


def _tokens(content: Octets) -> Iterator[Place]:
    """Find the token of every executable of every operator for the Edge TPU."""
    root = Buffer(content).root()
    codes = [table.text(1) for table in root.tables(1)]
    for operator in (operator for graph in root.tables(2) for operator in graph.tables(3)):
        kind = operator.number(0, UINT32, 0)
        if kind < len(codes) and codes[kind] == CUSTOM_CODE:
            packages = read_custom_operator(operator.part(5)).packages
            executables = [executable for package in packages for executable in package.executables]
            places = [executable.token_place for executable in executables]
            yield from ((place, WIDTHS[UINT64]) for place in places if place is not None)


def _packing_times(buffer: Buffer) -> Iterator[Place]:
    """Find when each file of an archive at the end was packed: said in its list of contents and before the file."""
    end = len(buffer.content) - END_LENGTH
    if end < 0 or buffer.content[end : end + 4] != END:
        return
    count, place = buffer.number(UINT16, end + 10), buffer.number(UINT32, end + 16)
    for _ in range(count):
        if buffer.part(place, ENTRY_LENGTH).content[:4] != ENTRY:
            raise MalformedFile("the archive at its end lists something else at %d" % place)
        yield place + ENTRY_TIME, TIME_LENGTH
        local = buffer.number(UINT32, place + 42)
        if buffer.part(local, LOCAL_TIME + TIME_LENGTH).content[:4] != LOCAL:
            raise MalformedFile("the archive at its end has no file at %d" % local)
        yield local + LOCAL_TIME, TIME_LENGTH
        place += ENTRY_LENGTH + sum(buffer.row(UINT16, place + 28, 3))  # lengths of name, extra field and comment
