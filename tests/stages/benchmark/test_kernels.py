"""Which operators a delegate computes, read from graphs drawn by hand."""

from __future__ import annotations

from typing import Any

from stages.benchmark.kernels import taken


def node(inputs: list[int], outputs: list[int]) -> dict[str, Any]:
    return {"inputs": inputs, "outputs": outputs}


CHAIN = [node([0, 10], [1]), node([1, 11], [2]), node([2, -1], [3]), node([3], [4])]


def test_without_a_delegate_nothing_is_taken() -> None:
    assert taken(CHAIN, []) == set()


def test_a_part_holds_what_lies_between_its_inputs_and_its_outputs() -> None:
    assert taken(CHAIN, [node([1, 11], [3])]) == {1, 2}
    assert taken(CHAIN, [node([0, 10], [1]), node([3], [4])]) == {0, 3}


def test_a_part_that_joins_branches_holds_both() -> None:
    branches = [node([0], [1]), node([0], [2]), node([1, 2], [3])]
    assert taken(branches, [node([0], [3])]) == {0, 1, 2}
    assert taken(branches, [node([0], [1]), node([1, 2], [3])]) == {0, 2}
