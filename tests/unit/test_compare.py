"""Two runs side by side: only what differs, each step once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from artifactfiles import key, publish, run_of

from coralline import runs
from coralline.care.compare import Comparison, compare
from coralline.store import Store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def rows(told: Comparison, label: str = "thing/0") -> dict[str, tuple[object, object, float | None]]:
    return {f"{one.kind} {one.name}": (one.left, one.right, one.change) for one in told.steps[label]}


def both(store: Store, left: str, right: str) -> Comparison:
    return compare(store, run_of(store.root, left), run_of(store.root, right))


def test_equal_steps_are_only_counted(store: Store) -> None:
    one = publish(store, "a").key
    told = both(store, one, one)
    assert told == Comparison(request=[], equal=1)


def test_a_parameter_and_the_numbers_that_changed_with_it_are_told_with_their_difference(store: Store) -> None:
    left = publish(store, "a", "[1]", numbers=(("accuracy", 0.5), ("n", 3)), epochs=4)
    right = publish(store, "a", "[2]", numbers=(("accuracy", 0.75), ("n", 3)), epochs=6)
    told = both(store, left.key, right.key)
    assert rows(told) == {
        "parameter epochs": (4, 6, 2),
        "content digest": (left.digest, right.digest, None),
        "metric accuracy": (0.5, 0.75, 0.25),
    }
    assert told.same_bytes == []


def test_what_only_one_has_stands_beside_nothing(store: Store) -> None:
    left = publish(store, "a", numbers=(("accuracy", 0.5),), inputs={"data": "1" * 64})
    right = publish(store, "a", numbers=(("latency", 2.0),), dropout=0.1)
    told = both(store, left.key, right.key)
    assert rows(told) == {
        "parameter dropout": (None, 0.1, None),
        "input data": ("1" * 64, None, None),
        "metric accuracy": (0.5, None, None),
        "metric latency": (None, 2.0, None),
    }
    assert told.same_bytes == ["thing/0"]


def test_a_step_that_one_run_could_not_make_says_why(store: Store) -> None:
    one = publish(store, "a").key
    left, right = run_of(store.root, one), run_of(store.root, key("b"), state="failed")
    right.steps["thing/0"]["reason"] = "no space"
    assert rows(compare(store, left, right)) == {
        "step state": ("there", "failed: no space", None),
        "step is in the store": (True, False, None),
        "step key": (None, key("b"), None),
    }


def test_steps_of_one_run_alone_and_other_requests_are_told(store: Store) -> None:
    one, two = publish(store, "a").key, publish(store, "b").key
    left, right = run_of(store.root, one, two), run_of(store.root, one)
    right.request = left.request | {"profile": "paper"}
    told = compare(store, left, right)
    assert (told.only_left, told.only_right, told.equal) == (["thing/1"], [], 1)
    assert [(one.name, one.left, one.right) for one in told.request] == [("profile", "quick", "paper")]


def test_steps_are_in_the_order_of_the_graph(store: Store) -> None:
    pairs = [(publish(store, name, size=1).key, publish(store, name, size=2).key) for name in "cab"]
    told = compare(store, run_of(store.root, *(p[0] for p in pairs)), run_of(store.root, *(p[1] for p in pairs)))
    assert list(told.steps) == ["thing/0", "thing/1", "thing/2"]


def test_a_run_knows_how_far_it_came(store: Store) -> None:
    ended, killed = run_of(store.root), run_of(store.root, ended=False)
    going = {run.id: run.state({killed.id}) for run in runs.every(store.root)}
    assert going == {ended.id: runs.State.ENDED, killed.id: runs.State.GOING_ON}
    assert killed.state(set()) is runs.State.INTERRUPTED
