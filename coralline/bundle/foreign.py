"""JSON of whoever gave it: looked at before it is parsed, so that it can cost no more than a bundle's documents may.

A value takes some tens of times as much memory as the two or three bytes that can stand for it, and what is nested
without end cannot be written again. So values are counted and their depth is measured first, in the text.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)  # what it may end in
DEEPEST = 32  # a record has six levels

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)  # a string, which may not end, or a bracket
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def count(content: bytes) -> int:
    """Return how many values a text holds at most; commas and brackets in its strings count as well."""
    return 1 + sum(map(content.count, (b",", b"[", b"{")))


def parse(content: bytes) -> Any:
    """Return what a text says whose values were counted.

    Raises:
        ValueError: it is no JSON, nested too deeply, or holds numbers that are none.
    """
    depth = 0
    for token in _TOKEN.finditer(content):
        depth += _STEPS.get(content[token.start()], 0)
        if depth > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} deep")
    return json.loads(content, parse_constant=_refused)


def _refused(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
