from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from fakes import spec, step
from hypothesis import given
from hypothesis import strategies as st

from coralline.execute import Queue

if TYPE_CHECKING:
    from coralline.graph import Step

GRAPHS = st.lists(st.frozensets(st.integers(0, 20), max_size=4), max_size=20)


def drawn(needs: list[frozenset[int]]) -> dict[str, Step]:
    """A graph in which each step reads some of those before it."""
    plain = step(spec("first"))
    return {
        str(number): replace(plain, label=str(number), sources={str(one): str(one) for one in read if one < number})
        for number, read in enumerate(needs)
    }


@given(GRAPHS, st.integers(0, 2**32))
def test_each_step_is_given_out_once_after_all_that_it_needs(needs: list[frozenset[int]], seed: int) -> None:
    chance = random.Random(seed)
    steps = drawn(needs)
    ready, running, settled = Queue(steps), list[str](), list[str]()
    while not ready.is_empty():
        label = ready.next() if chance.random() < 0.5 else None
        if label is not None and chance.random() < 0.5:
            ready.put_back([label])
        elif label is not None:
            assert set(steps[label].needs) <= set(settled)
            running.append(label)
        elif running:
            settled.append(running.pop(chance.randrange(len(running))))
            ready.settled(settled[-1])
    assert sorted(settled, key=int) == list(steps)
    assert ready.next() is None


@given(GRAPHS)
def test_ready_steps_come_in_the_order_of_the_graph(needs: list[frozenset[int]]) -> None:
    ready, given_out = Queue(drawn(needs)), list[int]()
    while (label := ready.next()) is not None:
        given_out.append(int(label))
    assert given_out == sorted(given_out)
