"""The Pareto front: nobody on it is beaten, everybody off it is, by someone on it; machines do not compete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from synthetic_run import HOST

from stages.contract import number
from stages.report.gather import Artifact
from stages.report.pareto import Candidate, front, plans

SMALL = st.integers(1, 4)  # few values, so that many are equal
FILES = st.lists(st.tuples(SMALL, SMALL, SMALL, st.sampled_from("ab")), max_size=12)


def artifact(host: str, *numbers: dict[str, Any], **axes: str) -> Artifact:
    return Artifact(Path("nowhere"), {"numbers": list(numbers), "host": {**HOST, "fingerprint": host}, "axes": axes})


def candidate(right: int, size: int, time: int, host: str = "a", **axes: str) -> Candidate:
    measured = number("balanced_accuracy", right / 10, "1"), number("latency_p50_ms", time, "ms")
    return Candidate(artifact(host, *measured, **axes), artifact(host, number("size_bytes", size, "B"), **axes))


def of(recipe: str, right: int, size: int, model: str = "net") -> Candidate:
    return candidate(right, size, 3, model=model, recipe=recipe, runtime="litert-cpu")


@given(FILES)
def test_the_front_is_those_whom_nobody_beats(told: list[tuple[int, int, int, str]]) -> None:
    found = [candidate(*one) for one in told]
    best = front(found)
    assert not any(one.is_beaten_by(other) for one in best for other in found)
    assert all(any(one.is_beaten_by(other) for other in best) for one in found if one not in best)
    assert bool(best) == bool(found)


def test_the_better_one_beats_and_the_equal_one_does_not() -> None:
    one = candidate(8, 3, 3)
    assert one.is_beaten_by(candidate(9, 3, 3))
    assert one.is_beaten_by(candidate(8, 2, 3))
    assert one.is_beaten_by(candidate(8, 3, 2))
    assert not one.is_beaten_by(candidate(8, 3, 3))
    assert not one.is_beaten_by(candidate(9, 4, 3))


def test_a_file_on_another_machine_beats_nobody() -> None:
    assert not candidate(8, 3, 3).is_beaten_by(candidate(9, 1, 1, host="b"))


def test_a_plan_is_compared_with_every_uniform_recipe_of_its_network() -> None:
    mixed, int8, int4 = of("mixed", 8, 4), of("ptq-int8", 8, 6), of("ptq-int4", 7, 3)
    (told,) = plans([mixed, int8, int4])
    assert told.startswith("mixed of net on litert-cpu is dominated by none of ptq-int8, ptq-int4:")
    (told,) = plans([mixed, int8, of("ptq-int4", 8, 3), of("dynamic", 9, 4)])
    assert told.startswith("mixed of net on litert-cpu is dominated by ptq-int4, dynamic")
    (told,) = plans([mixed, int8, of("ptq-int4", 8, 4)])
    assert told == "mixed of net on litert-cpu is no better than ptq-int4: as large and as accurate."
    (told,) = plans([mixed, of("ptq-int4", 9, 1, model="other")])
    assert told == "mixed of net on litert-cpu: no uniform recipe was measured beside it."
    assert plans([int8, int4]) == []
