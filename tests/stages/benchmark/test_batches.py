"""The search for the best batch, on machines whose speed by batch size is given: no clock of this machine decides."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.benchmark.batches import WORTH_IT, search
from stages.benchmark.runtime import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stages.benchmark.batches import Batches


class Machine:
    """Takes `seconds[size]` for a batch; every stream has a clock of its own, as its thread runs alone."""

    def __init__(self, seconds: Mapping[int, float], streams: int = 1) -> None:
        self.seconds = seconds
        self.streams = streams
        self.opened: list[int] = []
        self.now = threading.local()

    def clock(self) -> float:
        return float(getattr(self.now, "s", 0.0))

    def open_batch(self, size: int) -> list[Callable[[], object]]:
        self.opened.append(size)
        if size not in self.seconds:
            raise TooLargeError

        def infer() -> None:
            self.now.s = self.clock() + self.seconds[size]

        return [infer] * self.streams

    def search(self, largest: int = 1024, seconds: float = 10.0) -> Batches:
        return search(self.open_batch, largest, seconds, self.clock)


def at(rates: list[float]) -> dict[int, float]:
    """The seconds of batches of 1, 2, 4, ... images at the given images per second."""
    return {2**place: 2**place / rate for place, rate in enumerate(rates)}


def test_sizes_double_until_two_in_a_row_bring_nothing() -> None:
    machine = Machine(at([100, 150, 200, 202, 203, 900]))
    found = machine.search()
    assert machine.opened == [1, 2, 4, 8, 16]
    assert (found.best.size, found.best.images_per_second) == (4, pytest.approx(200))
    assert "brought less than 3 %" in found.ended


def test_one_slow_size_does_not_end_the_search() -> None:
    assert Machine(at([100, 90, 150, 155, 156, 157])).search().best.size == 8


def test_memory_ends_the_search_and_what_fitted_counts() -> None:
    found = Machine(at([100, 190, 360])).search()
    assert found.best.size == 4
    assert found.ended == "memory does not suffice for batches of 8"


def test_a_single_image_that_does_not_fit_is_no_throughput() -> None:
    with pytest.raises(TooLargeError):
        Machine({}).search()


def test_a_batch_that_takes_too_long_ends_the_search() -> None:
    found = Machine(at([1.0, 1.9, 3.6, 7.0]), 1).search(seconds=1.04)
    assert [batch.size for batch in found.found] == [1, 2]
    assert found.ended == "one batch took longer than 1.04 s"


def test_the_largest_batch_is_never_exceeded() -> None:
    machine = Machine(at([100 * 2**place for place in range(12)]))
    assert machine.search(largest=48).best.size == 32
    assert max(machine.opened) == 32


def test_streams_add_up() -> None:
    one, two = (Machine(at([100, 100, 100]), streams).search() for streams in (1, 2))
    assert two.best.images_per_second == pytest.approx(2 * one.best.images_per_second)
    assert two.best.seconds == pytest.approx(one.best.seconds)


@settings(deadline=None)
@given(st.lists(st.floats(1.0, 1e3), min_size=1, max_size=11))
def test_the_best_is_the_smallest_that_nothing_measured_beats_by_much(rates: list[float]) -> None:
    found = Machine(at(rates)).search(seconds=0.5)
    assert all(batch.images_per_second <= WORTH_IT * found.best.images_per_second for batch in found.found)
    smaller = [batch for batch in found.found if batch.size < found.best.size]
    most = max(batch.images_per_second for batch in found.found)
    assert all(batch.images_per_second * WORTH_IT < most for batch in smaller)
    assert len(found.found) <= len(rates)
    assert [batch.size for batch in found.found] == [2**place for place in range(len(found.found))]
    assert {number["metric"]: number["value"] for number in found.numbers()}["best_batch"] == found.best.size
    assert found.document()["sizes"][-1]["batch"] == found.found[-1].size
