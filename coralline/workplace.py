"""Where a session's steps run, on this machine or on a farm: whose measurements and devices count, and the pool."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from coralline import devices, host
from coralline.pool import Threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coralline.graph import Step
    from coralline.make import Maker
    from coralline.placement import Farm as FarmWord
    from coralline.pool import Pool
    from coralline.store import Store


class Workplace(Protocol):
    """What a planner and an execution need to know of where steps run."""

    def device_missing(self, need: str) -> str | None:
        """Say why a device cannot be used, or None."""
        ...

    def machines(self, step: Step) -> Sequence[str]:
        """Return the fingerprints of the machines whose measurements of a step count as ours."""
        ...

    def pool(self, maker: Maker) -> Pool:
        """Return what ready steps are handed to."""
        ...


@dataclass(frozen=True, slots=True)
class Here:
    """This machine; `jobs` steps at once, or 0 for one for each core."""

    jobs: int = 0

    def device_missing(self, need: str) -> str | None:
        """Say why a device cannot be used here, or None."""
        return devices.missing(need)

    def machines(self, step: Step) -> Sequence[str]:
        """Return this machine's fingerprint."""
        return [host.fingerprint(devices.identity(step.variant.needs))]

    def pool(self, maker: Maker) -> Pool:
        """Return threads of this process."""
        return Threads(maker, self.jobs or host.cores())


@contextlib.contextmanager
def opened(farm: FarmWord | None, store: Store, jobs: int) -> Iterator[Workplace]:
    """Give the workplace: this machine, or the farm that was asked for, for as long as the context lasts.

    Raises:
        EngineError: the farm cannot be reached.
    """
    if farm is None:
        yield Here(jobs)
        return
    from coralline.farm.queues import workers_of
    from coralline.farm.roster import connected

    there = connected(farm.address, store, jobs) if farm.kind == "dask" else workers_of(farm.kind, store, jobs)
    with there as found:
        yield found
