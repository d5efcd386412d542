"""Several values for a parameter: read from the words of `--set`, crossed into points, told apart in labels."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
from typing import TYPE_CHECKING

from coralline import parameters
from coralline.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from stages.spec import Parameter, Value

Point = dict[str, "Value"]  # the value of each swept parameter, by its dotted name

MOST_POINTS = 10_000  # a slip such as 1..1000000000 must not fill the memory
LONGEST_SUFFIX = 150  # bytes; a label names files, whose names may have 255
RANGE = re.compile(r"(-?\d{1,30})\.\.(-?\d{1,30})")  # Python reads no more than 4300 digits


def values(parameter: Parameter, word: str, where: str) -> tuple[Value, ...]:
    """Read `1..20`, `1,2,5`, both mixed, or one value; each value once, in the order given.

    A comma belongs to the value itself where that is a list or text.

    Raises:
        ProfileError: a value is of another kind or out of bounds, or a range is empty or far too long.
    """
    parts = word.split(",") if parameter.kind in ("int", "float", "choice", "bool") else [word]
    return tuple(dict.fromkeys(value for part in parts for value in _values(parameter, part.strip(), where)))


def single(parameter: Parameter, word: str, where: str) -> tuple[Value, ...]:
    """Read one value, where a sweep would take several.

    Raises:
        ProfileError: as `values` does; and for several values, which the hint says where to give.
    """
    try:
        return (parameters.from_word(parameter, word, where),)
    except ProfileError as error:
        with contextlib.suppress(ProfileError):
            values(parameter, word, where)
            error.hint = f"{error.hint}\nseveral values make a sweep: ./run sweep"
        raise


def _values(parameter: Parameter, word: str, where: str) -> Iterator[Value]:
    found = RANGE.fullmatch(word) if parameter.kind == "int" else None
    if found is None:
        yield parameters.from_word(parameter, word, where)
        return
    first, last = map(int, found.groups())
    for bound in (first, last):
        parameters.checked(parameter, bound, where)
    if first > last:
        raise ProfileError(f"{where} = {word!r} is empty", hint=f"write {last}..{first}")
    _check_count(last - first + 1, f"{where} = {word!r}")
    yield from range(first, last + 1)


def points(swept: Mapping[str, tuple[Value, ...]]) -> list[Point]:
    """Cross the values of all swept parameters, the last of them changing fastest; one empty point when there is none.

    Raises:
        ProfileError: there are far too many.
    """
    _check_count(math.prod(len(several) for several in swept.values()), "the sweep")
    return [dict(zip(swept, chosen, strict=True)) for chosen in itertools.product(*swept.values())]


def _check_count(count: int, what: str) -> None:
    if count > MOST_POINTS:
        raise ProfileError(
            f"{what} has {count} points", hint=f"{MOST_POINTS} is the most: sweep in parts, which share what they can"
        )


def suffix(point: Mapping[str, Value]) -> str:
    """Write what a label ends with at a point: nothing, or `@` and what its step was swept over.

    Raises:
        ProfileError: it would be too long for the name of a file.
    """
    told = "@" * bool(point) + ",".join(setting(name, value) for name, value in point.items())
    if len(told.encode()) > LONGEST_SUFFIX:
        raise ProfileError(
            f"a sweep over {len(point)} parameters is too much for one run: {told[:60]}...",
            hint="sweep over fewer parameters, in several runs: they share what they can",
        )
    return told


def setting(name: str, value: Value) -> str:
    """Write one parameter as `--set` takes it."""
    return f"{name}={shown(value)}"


def shown(value: Value) -> str:
    """Write a value as `--set` takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def is_seed(name: str) -> bool:
    """Whether a parameter is a seed: its values are repetitions of one thing, not things to compare."""
    return name.rpartition(".")[2].split("_")[-1] == "seed"


def swept(given: Mapping[str, Iterable[Value]]) -> dict[str, tuple[Value, ...]]:
    """Keep the parameters that have more than one value."""
    unique = {name: tuple(dict.fromkeys(several)) for name, several in given.items()}
    return {name: several for name, several in unique.items() if len(several) > 1}
