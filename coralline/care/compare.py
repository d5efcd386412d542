"""What differs between the same steps of two runs: what they were made from and with, their content, their numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coralline.runs import Run
    from coralline.store import Store

THERE = ("made", "reused")
PARTS = {"parameters": "parameter", "inputs": "input", "code": "code", "image": "image", "missing": "missing"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not the same on both sides; None where one side lacks it. `change` is right minus left."""

    kind: str
    name: str
    left: Any
    right: Any
    change: float | None = None


@dataclass(slots=True, kw_only=True)
class Comparison:
    """All that differs: in the requests, in each step that both have, and the steps that only one has.

    `same_bytes` are the steps of `steps` whose content is equal although what they were made from is not.
    """

    request: list[Difference]
    steps: dict[str, list[Difference]] = field(default_factory=dict)
    same_bytes: list[str] = field(default_factory=list)
    equal: int = 0
    only_left: list[str] = field(default_factory=list)
    only_right: list[str] = field(default_factory=list)


def compare(store: Store, left: Run, right: Run) -> Comparison:
    """Set two runs side by side; steps come in the order of their graphs."""
    told = Comparison(
        request=list(_request(left.request, right.request)),
        only_left=[label for label in left.steps if label not in right.steps],
        only_right=[label for label in right.steps if label not in left.steps],
    )
    for label, one in left.steps.items():
        other = right.steps.get(label)
        if other is None:
            continue
        if one["key"] == other["key"] and _state(one) == _state(other):
            told.equal += 1
            continue
        records = _record(store, one), _record(store, other)
        told.steps[label] = [*_changed("step", _step(one, records[0]), _step(other, records[1]))]
        if records[0] is not None and records[1] is not None:
            told.steps[label] += _made(records[0], records[1])
            told.same_bytes += [label] if records[0]["digest"] == records[1]["digest"] else []
    return told


def _request(left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[Difference]:
    """Compare what was asked for; settings are told with the steps to which they apply."""
    words = [{name: value for name, value in side.items() if name != "values"} for side in (left, right)]
    return _changed("request", *words)


def _state(told: Mapping[str, Any]) -> str:
    return "there" if told["state"] in THERE else f"{told['state']}: {told['reason']}"


def _record(store: Store, told: Mapping[str, Any]) -> dict[str, Any] | None:
    found = store.find(told["key"]) if told["key"] and told["state"] in THERE else None
    return None if found is None else found.record


def _step(told: Mapping[str, Any], record: dict[str, Any] | None) -> dict[str, Any]:
    """Return how far a step came, and the key of what the store does not have any more."""
    gone = {} if record is not None else {"key": told["key"]}
    return {"state": _state(told), "is in the store": record is not None, **gone}


def _made(left: dict[str, Any], right: dict[str, Any]) -> Iterator[Difference]:
    for part, kind in PARTS.items():
        yield from _changed(kind, left["key_parts"][part], right["key_parts"][part])
    yield from _changed("machine", _machine(left), _machine(right))
    yield from _changed("content", {"digest": left["digest"]}, {"digest": right["digest"]})
    yield from _changed("metric", _metrics(left), _metrics(right))


def _machine(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return where and with what a step ran: the machine, its threads, and the exact image or interpreter."""
    engine = {f"engine {name}": value for name, value in record["engine"].items()}
    return {**record["host"], "threads": record["threads"], **engine}


def _metrics(record: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a record by name; with the axes that a number names for itself."""
    own = ("model", "recipe", "runtime")
    return {
        "/".join([number["metric"], *(str(number[axis]) for axis in own if number.get(axis))]): number["value"]
        for number in record["numbers"]
    }


def _changed(kind: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted(left.keys() | right.keys()):
        one, other = left.get(name), right.get(name)
        if one != other:
            yield Difference(kind=kind, name=name, left=one, right=other, change=_change(one, other))


def _change(left: Any, right: Any) -> float | None:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (left, right))
    return right - left if numbers else None
