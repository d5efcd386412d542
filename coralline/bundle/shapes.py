"""Whether a foreign run or record has the shape that everything which reads them counts on.

What it says is not judged here. Words that come to be printed hold no control characters.
"""

from __future__ import annotations

import math
import re
from typing import Any

# Names as runs.start gives them, with the letters that the first versions had at their end: they sort by time, and the
# latest run is the default of most commands.
RUN_NAME = re.compile(r"20[0-9]{6}-[0-9]{6}-[0-9a-z]{1,8}")
LABEL = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*(@[A-Za-z0-9_.+=,-]+)?"
)  # see sweep.py
LONGEST_LABEL = 240  # it is a file's name, with an ending
KEY = re.compile(r"[0-9a-f]{64}")
PARTS = ("parameters", "inputs", "code", "image", "missing")
MADE = ("made", "reused")
_LINES = str.maketrans("", "", "\n\t")


def is_run(told: Any) -> bool:
    """Whether a document tells of a run: a name, what was asked for, and steps with state, reason and key."""
    return (
        _is_name(told["run"], RUN_NAME)
        and type(told["ended"]) is bool
        and _is_request(told["request"])
        and isinstance(told["steps"], dict)
        and all(_is_label(label) and _is_step(step) for label, step in told["steps"].items())
    )


def is_record(told: Any) -> bool:
    """Whether a document tells of an artifact: of which step and run, made from what, where, and its numbers."""
    parts = told["key_parts"]
    return (
        _is_label(told["label"])
        and ("run" not in told or _is_name(told["run"], RUN_NAME))  # the first versions did not write it down,
        and is_word(told.get("coralline", ""))  # nor themselves
        and is_word(told["stage"])
        and _are_words(told["axes"])
        and all(isinstance(parts[part], dict) for part in PARTS)
        and all(_are_words(parts[part]) for part in ("inputs", "code"))
        and all(is_word(label) and _is_reason(reason) for label, reason in parts["missing"].items())
        and all(_is_printable(parts[part]) for part in ("parameters", "image"))
        and all(isinstance(told[name], dict) for name in ("engine", "host", "facts"))
        and all(_is_printable(told.get(name)) for name in ("engine", "host", "revision"))
        and all(is_word(one) for one in (parts["image"]["name"], parts["image"]["engine"], told["engine"]["name"]))
        and all(map(_is_number, (told["threads"], told["seconds"])))
        and isinstance(told["warnings"], list)
        and isinstance(told["numbers"], list)
        and all(map(_is_measured, told["numbers"]))
    )


def _is_request(told: Any) -> bool:
    lists = [told.get(name, []) for name in ("models", "recipes", "externals", "placed")]
    return (
        all(isinstance(words, list) and all(map(is_word, words)) for words in lists)
        and all(is_word(told.get(name, "")) for name in ("profile", "engine", "farm"))
        and all(isinstance(told.get(name, {}), dict) for name in ("values", "swept"))
        and _is_printable(told)
    )


def _is_step(told: Any) -> bool:
    key = told["key"]
    return (
        is_word(told["state"])
        and _is_reason(told["reason"])
        and (_is_name(key, KEY) if key is not None else told["state"] not in MADE)
        and isinstance(told.get("point", {}), dict)
        and _is_printable(told.get("point"))
    )


def _is_measured(told: Any) -> bool:
    axes = (told.get(name) or "" for name in ("model", "recipe", "runtime"))
    return (
        all(map(is_word, (told["metric"], told["unit"], *axes)))
        and _is_number(told["value"])
        and (told.get("n") is None or _is_number(told["n"]))
        and all(map(_is_number, told.get("interval") or ()))
    )


def _is_name(value: Any, form: re.Pattern[str]) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _is_label(value: Any) -> bool:
    return _is_name(value, LABEL) and len(value) <= LONGEST_LABEL


def _is_reason(value: Any) -> bool:
    """Whether a value is text that can be printed; why a step failed may take several lines."""
    return isinstance(value, str) and is_word(value.translate(_LINES))


def _is_printable(told: Any) -> bool:
    """Whether every word in a value can be printed, however deep it is: how deep was bounded before."""
    if isinstance(told, dict):
        return all(map(_is_printable, (*told, *told.values())))
    return all(map(_is_printable, told)) if isinstance(told, list) else not isinstance(told, str) or is_word(told)


def is_word(value: Any) -> bool:
    """Whether a value is text of one line that can be printed."""
    return isinstance(value, str) and value.isprintable()


def _are_words(told: Any) -> bool:
    return isinstance(told, dict) and all(map(is_word, (*told, *told.values())))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
