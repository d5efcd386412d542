"""Whether a foreign run or record has the shape that everything which reads them counts on.

What it says is not judged here. Words that come to be printed hold no control characters.
"""

from __future__ import annotations

import re
from typing import Any

# Names as runs.start gives them, with the letters that the first versions had at their end: they sort by time, and the
# latest run is the default of most commands.
RUN_NAME = re.compile(r"20[0-9]{6}-[0-9]{6}-[0-9a-z]{1,8}")
LABEL = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*(@[A-Za-z0-9_.+=,-]+)?"
)  # see sweep.py
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
        and all(_is_name(label, LABEL) and _is_step(step) for label, step in told["steps"].items())
    )


def is_record(told: Any) -> bool:
    """Whether a document tells of an artifact: of which step and run, made from what, where, and its numbers."""
    parts = told["key_parts"]
    return (
        _is_name(told["label"], LABEL)
        and _is_name(told["run"], RUN_NAME)
        and _is_word(told["stage"])
        and _are_words(told["axes"])
        and all(isinstance(parts[part], dict) for part in PARTS)
        and all(_are_words(parts[part]) for part in ("inputs", "code", "missing"))
        and all(isinstance(told[name], dict) for name in ("engine", "host", "facts"))
        and all(_is_word(one) for one in (parts["image"]["name"], parts["image"]["engine"], told["engine"]["name"]))
        and all(map(_is_number, (told["threads"], told["seconds"])))
        and isinstance(told["warnings"], list)
        and isinstance(told["numbers"], list)
        and all(map(_is_measured, told["numbers"]))
    )


def _is_request(told: Any) -> bool:
    lists = [told.get(name, []) for name in ("models", "recipes", "externals", "placed")]
    return (
        all(isinstance(words, list) and all(map(_is_word, words)) for words in lists)
        and all(_is_word(told.get(name, "")) for name in ("profile", "engine", "farm"))
        and all(isinstance(told.get(name, {}), dict) for name in ("values", "swept"))
    )


def _is_step(told: Any) -> bool:
    key = told["key"]
    return (
        _is_word(told["state"])
        and _is_word(told["reason"].translate(_LINES))
        and (_is_name(key, KEY) if key is not None else told["state"] not in MADE)
        and isinstance(told.get("point", {}), dict)
    )


def _is_measured(told: Any) -> bool:
    axes = (told.get(name) or "" for name in ("model", "recipe", "runtime"))
    return (
        all(map(_is_word, (told["metric"], told["unit"], *axes)))
        and _is_number(told["value"])
        and (told.get("n") is None or _is_number(told["n"]))
        and all(map(_is_number, told.get("interval") or ()))
    )


def _is_name(value: Any, form: re.Pattern[str]) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()


def _are_words(told: Any) -> bool:
    return isinstance(told, dict) and all(map(_is_word, (*told, *told.values())))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
