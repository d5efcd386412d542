"""The lines of a compiler log, as the compiler wrote them: what terminals, web pages and copying added is taken off.

Size, number and length of the lines are limited, so that a hostile file costs no more than a long real one.
"""

from __future__ import annotations

import codecs
import re
from typing import Iterator

from stages.contract import InputError
from stages.edgetpu.log.glue import any_of, apart
from stages.edgetpu.log.prefix import without_prefix
from stages.edgetpu.log.reader import BEGINNINGS

MOST_BYTES = 4 * 2**20  # a search over hundreds of operators prints one or two
MOST_LINES = 20_000  # that search prints eight lines for each try
MOST_UTF16_BYTES = 2 * 2**20  # slow to decode where it is none
LONGEST_LINE = 65_536  # a list of intermediate tensors takes thousands of characters

LINE = re.compile(rb"[^\r\n]+")
COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# What a hosted runner or a container engine puts before a line.
TIMESTAMP = re.compile(r"\[?[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,]{5,18}Z?\]?\s")
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
UNSEEN = "\0\ufeff"
BEGINNING = any_of(BEGINNINGS)


def clean_lines(content: bytes) -> Iterator[str]:
    """Give the lines that are not blank; bytes that are not UTF-8 are replaced.

    Raises:
        InputError: there are more of them than any log has.
    """
    most = MOST_UTF16_BYTES if content.startswith(UTF16_MARKS) else MOST_BYTES
    if len(content) > most:
        raise InputError(
            "the log has %d bytes, more than %d" % (len(content), most), "give the output of one compilation"
        )
    lines = [line for line in _few(_raw(content)) if line]
    return _few(part for line in without_prefix(lines, BEGINNINGS) for part in apart(line, BEGINNING) if part)


def _raw(content: bytes) -> Iterator[str]:
    for found in LINE.finditer(_as_utf8(content)):
        yield _clean(found.group()[:LONGEST_LINE].decode("utf-8", "replace"))


def _few(lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number == MOST_LINES:
            raise InputError("the log has more than %d lines" % MOST_LINES, "give the output of one compilation")
        yield line


def _clean(line: str) -> str:
    line = COLOUR.sub("", line) if "\x1b" in line else line
    line = line.strip().strip(UNSEEN).lstrip("> ")  # a quotation
    stamp = TIMESTAMP.match(line)
    return (line[stamp.end() :] if stamp else line).strip()


def _as_utf8(content: bytes) -> bytes:
    """Turn what a Windows console writes into UTF-8."""
    if content.startswith(UTF16_MARKS):
        return content.decode("utf-16", "replace").encode("utf-8", "replace")
    return content
