"""Lines without what a container engine, a build, a logger or a web page put before each of them.

A line shows what it is that has a phrase of the compiler within, most often the banner: if nearly all lines that begin
as the compiler's do, or nearly all lines, have the same before it, this is taken off every line. Numbers in it may
differ from line to line: they are clocks.
"""

from __future__ import annotations

import re
from typing import Iterator, List, Pattern, Tuple

BANNER = "Edge TPU Compiler version "
LONGEST_PREFIX = 100
MOST_SHAPES = 3  # a sentence may mention the banner before the log begins
SHORTEST_PHRASE = 20  # shorter ones stand in other texts, too
LONGEST_MARK = 9
PART = re.compile(r"[0-9]+|\s+|[^0-9\s]+")
LEVEL = re.compile(r"DEBUG|INFO|WARNING|ERROR|CRITICAL")
BAR = "|"


def without_prefix(lines: List[str], beginnings: Tuple[str, ...]) -> List[str]:
    """Take off what stands before every line of the compiler, of which `beginnings` tells how they begin."""
    telling = tuple(phrase for phrase in beginnings if len(phrase) >= SHORTEST_PHRASE)
    for prefix, shape in (*_shapes(lines, (BANNER,)), *_shapes(lines, telling)):
        if _is_shared(shape, lines, beginnings):
            is_table = prefix.strip() == BAR
            return [_take_off(shape, line, is_table) for line in lines]
    return [_without_mark(line) for line in lines]


def _shapes(lines: List[str], phrases: Tuple[str, ...]) -> Iterator[Tuple[str, Pattern[str]]]:
    """Find the first few texts that stand before such a phrase, and what text of their shape matches."""
    phrase = re.compile("|".join(map(re.escape, phrases)))
    seen = set()
    for line in lines:
        found = phrase.search(line, 0, LONGEST_PREFIX)
        prefix = line[: found.start()] if found else ""
        if prefix and _pattern(prefix) not in seen:
            seen.add(_pattern(prefix))
            yield prefix, re.compile(_pattern(prefix))
        if len(seen) == MOST_SHAPES:
            return


def _pattern(prefix: str) -> str:
    """Make a pattern whose neighbouring parts have no character in common, so that matching never goes back far."""
    text = "".join(_part(part) for part in PART.findall(prefix.rstrip()))
    return text + r"\s{0,20}"


def _part(part: str) -> str:
    if part.isspace():
        return r"\s{1,20}"
    if part.isascii() and part.isdigit():
        return "[0-9]{1,20}"
    return LEVEL.sub("(?:%s)" % LEVEL.pattern, re.escape(part))


def _is_shared(shape: Pattern[str], lines: List[str], beginnings: Tuple[str, ...]) -> bool:
    """Tell whether at least two lines stand behind it: nine of ten of the compiler's, or of all."""
    plain = sum(line.startswith(beginnings) for line in lines)
    found = [(line, match.end()) for line, match in ((line, shape.match(line)) for line in lines) if match]
    dressed = sum(line.startswith(beginnings, end) for line, end in found)
    return (dressed > 1 and dressed >= 9 * plain) or (len(found) > 1 and 10 * len(found) >= 9 * len(lines))


def _take_off(shape: Pattern[str], line: str, is_table: bool) -> str:
    found = shape.match(line)
    if found is None:
        return line
    rest = line[found.end() :]
    return rest.replace(BAR, "  ").strip() if is_table else rest


def _without_mark(line: str) -> str:
    """Let a banner begin its line where only marks are before it, as when a page shows it in italics."""
    place = line.find(BANNER, 0, LONGEST_MARK + len(BANNER))
    return line if place <= 0 or any(map(str.isalnum, line[:place])) else line[place:]
