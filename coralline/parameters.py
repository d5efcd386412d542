"""Values of parameters: read from words or TOML, checked against what the stage's spec declares.

Knows nothing of where a value came from but its name, which it puts into the error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coralline.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stages.spec import Parameter, Spec, Value

TRUE = ("true", "yes", "on", "1")
FALSE = ("false", "no", "off", "0")


def from_word(parameter: Parameter, word: str, where: str) -> Value:
    """Read what was typed after `--set stage.parameter=`.

    Raises:
        ProfileError: not a value of this kind, or out of bounds.
    """
    try:
        value = _READERS[parameter.kind](word)
    except ValueError:
        raise _refusal(parameter, word, where) from None
    return checked(parameter, value, where)


def checked(parameter: Parameter, value: Any, where: str) -> Value:
    """Return `value` in the parameter's own type when it is of its kind and within its bounds.

    Raises:
        ProfileError: it is not.
    """
    if parameter.kind == "ints" and isinstance(value, list):
        value = tuple(value)
    if parameter.kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not _CHECKS[parameter.kind](value) or not _within(parameter, value):
        raise _refusal(parameter, value, where)
    accepted: Value = value
    return accepted


def applies(parameter: Parameter, values: Mapping[str, Value]) -> bool:
    """Whether the parameter means anything beside these other values of the step."""
    return all(values.get(name) in allowed for name, allowed in parameter.when.items())


def complete(spec: Spec, axes: Mapping[str, str], given: Callable[[str], Value | None]) -> dict[str, Value]:
    """All parameters of one step: its axes, then what was given, else the default; without those that do not apply."""
    values: dict[str, Value] = dict(axes)
    for parameter in spec.parameters:
        if applies(parameter, values):
            told = given(parameter.name)
            values[parameter.name] = parameter.default if told is None else told
    return values


def expected(parameter: Parameter) -> str:
    """Say in words which values a parameter takes."""
    match parameter.kind:
        case "choice":
            return "one of " + ", ".join(parameter.choices)
        case "bool":
            return "true or false"
        case "str":
            return "text"
        case kind:
            noun = {"int": "a whole number", "float": "a number", "ints": "whole numbers, separated by commas,"}[kind]
            return noun + _bounds(parameter)


def _bounds(parameter: Parameter) -> str:
    low, high = (None if bound is None else f"{bound:g}" for bound in (parameter.minimum, parameter.maximum))
    if low is not None and high is not None:
        return f" from {_plain(parameter.minimum)} to {_plain(parameter.maximum)}"
    return f" of at least {low}" if low is not None else ""


def _plain(bound: float | None) -> str:
    return str(int(bound)) if bound is not None and bound == int(bound) and abs(bound) < 1e15 else f"{bound:g}"


def _refusal(parameter: Parameter, value: object, where: str) -> ProfileError:
    return ProfileError(
        f"{where} = {value!r} is not possible", hint=f"expected {expected(parameter)}: {parameter.meaning}"
    )


def _within(parameter: Parameter, value: Any) -> bool:
    if parameter.kind == "choice":
        return value in parameter.choices
    if parameter.kind not in ("int", "float", "ints"):
        return True
    low = float("-inf") if parameter.minimum is None else parameter.minimum
    high = float("inf") if parameter.maximum is None else parameter.maximum
    return all(low <= number <= high for number in (value if isinstance(value, tuple) else (value,)))


def _read_bool(word: str) -> bool:
    lower = word.lower()
    if lower not in TRUE + FALSE:
        raise ValueError(word)
    return lower in TRUE


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_READERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "str": str,
    "choice": str,
    "bool": _read_bool,
    "ints": lambda word: tuple(int(part) for part in word.split(",")),
}

_CHECKS: dict[str, Callable[[Any], bool]] = {
    "int": _is_int,
    "float": lambda value: isinstance(value, float) and value == value,  # noqa: PLR0124 - not a number is not a value
    "str": lambda value: isinstance(value, str),
    "choice": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "ints": lambda value: isinstance(value, tuple) and len(value) > 0 and all(map(_is_int, value)),
}
