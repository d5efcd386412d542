"""Lines that a web page ran together, put apart where it is beyond doubt where one ends and the next begins."""

from __future__ import annotations

import re
from typing import Iterator, List, Pattern, Tuple

from stages.edgetpu.log.status import ROW_BEGIN, SEEN

HEADER = re.compile(r"Operator(\s{1,99})Count(\s{1,99})Status\s*")
ROW = re.compile(ROW_BEGIN)
WHOLE_ROW = re.compile(r"%s(?:%s)\s*" % (ROW_BEGIN, "|".join(map(re.escape, SEEN))))
SHORTEST = 10  # phrases that are shorter may stand in a name
BEHIND = re.compile(r"[a-z0-9.!)]")


def any_of(beginnings: Tuple[str, ...]) -> Pattern[str]:
    """Make the pattern of how the lines of the compiler begin, which `apart` needs."""
    return re.compile("|".join(re.escape(phrase) for phrase in beginnings if len(phrase) >= SHORTEST))


def apart(line: str, beginning: Pattern[str]) -> Iterator[str]:
    """Give the lines of which a line consists, most often itself."""
    for piece in _phrases(line, beginning):
        for part in _table(piece) if "Operator" in piece else [piece]:
            yield from _rows(part) if ROW.match(part) else [part]


def _phrases(line: str, beginning: Pattern[str]) -> Iterator[str]:
    """Split where a line of the compiler begins right behind a word or a full stop."""
    place = 0
    for found in beginning.finditer(line):
        seam = found.start()
        if seam and BEHIND.match(line, seam - 1):
            yield line[place:seam]
            place = seam
    yield line[place:]


def _table(line: str) -> List[str]:
    """Split at the head of the operator table, if it is that: words of a sentence have other neighbours."""
    found = HEADER.search(line)
    if found is None or found.group() == line:
        return [line]
    before, after = line[: found.start()], line[found.end() :]
    is_wide = len(found.group(1)) > 1 and len(found.group(2)) > 1
    is_glued = not before or not before[-1].isspace()
    if is_wide or ROW.match(after) or (is_glued and not after):
        return [part for part in (before.strip(), found.group().strip(), after) if part]
    return [line]


def _rows(line: str) -> List[str]:
    """Split rows whose statuses are known; the last may have another."""
    rows, place = [], 0
    found = WHOLE_ROW.match(line)
    while found:
        rows.append(found.group().strip())
        place = found.end()
        found = WHOLE_ROW.match(line, place)
    if place == len(line):
        return rows
    return [*rows, line[place:]] if ROW.match(line, place) else [line]
