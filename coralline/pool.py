"""What ready steps are handed to: threads of this process, here, or the workers of a farm (`coralline/farm`)."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coralline.graph import Step
    from coralline.make import Maker
    from coralline.plan import Decision
    from coralline.store import Artifact


class Pool(Protocol):
    """Makes the steps that it is handed, several at once; open as long as its context lasts."""

    @property
    def slots(self) -> int:
        """How many steps it takes at once, at most."""
        ...

    def has_room(self, step: Step, running: Sequence[Step]) -> bool:
        """Tell whether a step may be handed over while others run."""
        ...

    def submit(self, decision: Decision, inputs: Mapping[str, Artifact], *, again: bool) -> Future[Artifact]:
        """Have a decided step made; the future gives its artifact, or raises what `Maker.make` does."""
        ...

    def stop(self) -> None:
        """End what runs; every future is over soon after. May be called again."""
        ...

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(self, *_: object) -> None:
        """End, when everything handed over is over."""
        ...


class Threads:
    """Threads of this process around one engine; `jobs` steps run at once, at most."""

    def __init__(self, maker: Maker, jobs: int) -> None:
        self._maker = maker
        self._executor = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="step")
        self.slots = jobs

    def has_room(self, step: Step, running: Sequence[Step]) -> bool:
        """Tell whether a step may start: one that takes all cores or measures runs alone, others share the machine."""
        return not running or not any(is_alone(one) for one in (step, *running))

    def submit(self, decision: Decision, inputs: Mapping[str, Artifact], *, again: bool) -> Future[Artifact]:
        """Make a step in a thread."""
        return self._executor.submit(self._maker.make, decision, inputs, again=again)

    def stop(self) -> None:
        """Have the maker's steps end: each listens itself."""
        self._maker.cancelled.set()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the threads."""
        self._executor.shutdown()


def is_alone(step: Step) -> bool:
    """Whether a step needs a machine for itself: it takes all cores, or measures."""
    return step.spec.cores == "all" or step.spec.measures
