"""Steps of stages that run on other machines, beside those that run here or on a farm: a pool of pools.

What runs on one machine disturbs no measurement on another, so each machine has its own room.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from coralline.devices.lock import Held
from coralline.pool import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from coralline.engines.base import Outpost
    from coralline.graph import Step
    from coralline.make import Maker
    from coralline.plan import Decision
    from coralline.pool import Pool
    from coralline.store import Artifact


def beside(pool: Pool, maker: Maker, placed: Mapping[str, Outpost]) -> Pool:
    """Return a pool that hands the steps of placed stages to their engines, and all others to `pool`."""
    if not placed:
        return pool
    there = {engine: Threads(_maker(maker, engine), engine.cores()) for engine in dict.fromkeys(placed.values())}
    return Beside(pool, {stage: there[engine] for stage, engine in placed.items()})


def _maker(maker: Maker, engine: Outpost) -> Maker:
    return replace(maker, engine=engine, hold=_held_there, facts=engine.facts, cores=engine.cores)


@contextlib.contextmanager
def _held_there(
    _need: str | None, _label: str, _waiting: Callable[[str], None], _stop: Callable[[], bool]
) -> Iterator[Held | None]:
    """Hold nothing: the step takes the stick's lock on the machine that it runs on."""
    yield Held()


class Beside:
    """A pool for all stages but those in `there`, which have a pool each, or share one."""

    def __init__(self, here: Pool, there: Mapping[str, Pool]) -> None:
        self._here = here
        self._there = there

    @property
    def slots(self) -> int:
        """How many steps all pools take at once, at most."""
        return sum(pool.slots for pool in self._pools())

    def has_room(self, step: Step, running: Sequence[Step]) -> bool:
        """Tell whether a step may be handed over while others run: only those on its own machine matter."""
        pool = self._of(step)
        neighbours = [one for one in running if self._of(one) is pool]
        return len(neighbours) < pool.slots and pool.has_room(step, neighbours)

    def submit(self, decision: Decision, inputs: Mapping[str, Artifact], *, again: bool) -> Future[Artifact]:
        """Have a decided step made where its stage runs."""
        return self._of(decision.step).submit(decision, inputs, again=again)

    def stop(self) -> None:
        """End what runs."""
        for pool in self._pools():
            pool.stop()

    def __enter__(self) -> Self:
        """Begin."""
        with contextlib.ExitStack() as stack:
            for pool in self._pools():
                stack.enter_context(pool)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End, when everything handed over is over."""
        self._open.close()

    def _of(self, step: Step) -> Pool:
        return self._there.get(step.spec.name, self._here)

    def _pools(self) -> list[Pool]:
        return [self._here, *dict.fromkeys(self._there.values())]
