"""Who works on a farm: the workers behind one Dask scheduler, what they offer, and whose measurements are ours."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from concurrent import futures
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coralline.errors import EngineError
from coralline.farm import certificates, machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from distributed import Client

    from coralline.graph import Step
    from coralline.make import Maker
    from coralline.pool import Pool
    from coralline.store import Store

LOST_AFTER_S = 15.0  # a scheduler that is there answers in milliseconds, also from far away
SILENT_AFTER_S = 60.0  # one that is at work may take a while; one that hangs never answers, and breaks no connection
MOMENT_S = 1.0
# What Dask's client raises without its scheduler: a broken connection, or what it then knows nothing of.
LOST = (OSError, ValueError, RuntimeError, LookupError, AttributeError, asyncio.CancelledError, futures.CancelledError)


@dataclass(slots=True, kw_only=True)
class Farm:
    """The workers behind one Dask scheduler.

    `kind` names the farm in records, `lacking` is said when there is no worker. Of workers that are still to come
    `memory_gib` and `brings`, their devices, are known; `refused` is what a batch system said that starts none. At most
    `slots` steps are handed over at once.
    """

    client: Client
    store: Store
    kind: str
    lacking: str
    memory_gib: int = 0
    brings: Sequence[str] = ()
    slots: int = sys.maxsize
    refused: list[str] = field(default_factory=list)
    _known: dict[str, dict[str, str]] = field(default_factory=dict)
    _there: dict[str, dict[str, float]] = field(default_factory=dict)
    _look_again_s: float = 0.0

    def workers(self) -> dict[str, dict[str, float]]:
        """Return what each worker that is there, or was a moment ago, offers, by its address."""
        now = time.monotonic()
        if now >= self._look_again_s:
            with _told_when_lost():
                asked = self.client.scheduler.identity
                told = self.client.sync(asked, n_workers=-1, callback_timeout=SILENT_AFTER_S)
            self._there = {address: dict(one["resources"]) for address, one in told["workers"].items()}
            self._look_again_s = now + MOMENT_S
        return self._there

    def most_memory_gib(self) -> float:
        """Return the memory of the largest worker, in whole GiB."""
        return max([float(self.memory_gib), *(one.get(machine.MEMORY, 0) for one in self.workers().values())])

    def device_missing(self, need: str) -> str | None:
        """Say that no worker has a device, or None when one has."""
        if need in self.brings or any(need in one for one in self.workers().values()):
            return None
        return f"no worker of the farm has a device '{need}'"

    def pool(self, maker: Maker) -> Pool:
        """Return what ready steps are handed to."""
        from coralline.farm.hands import Hands

        return Hands(self, maker)

    def machines(self, step: Step) -> list[str]:
        """Return the fingerprints under which this farm's measurements of a step are known: its workers', and the last.

        A batch system gives other machines every time; what one of them measured for this step before is its own.
        """
        there = {told[step.variant.needs or ""] for told in self._fingerprints().values()}
        last = self.store.last(step.label)
        if last is not None and last.record.get("farm") == self.kind:
            there.add(str(last.record["key_parts"]["host"]))
        return sorted(there)

    def _fingerprints(self) -> dict[str, dict[str, str]]:
        """Ask workers that came since the last look which machines they are."""
        there = set(self.workers())
        new = sorted(there - self._known.keys())
        if new:
            with _told_when_lost():
                told = self.client.run(machine.fingerprints, workers=new, on_error="ignore")  # one may have just gone
            self._known |= {address: found for address, found in told.items() if isinstance(found, dict)}
        return {address: found for address, found in self._known.items() if address in there}


@contextlib.contextmanager
def connected(address: str, store: Store, jobs: int) -> Iterator[Farm]:
    """Give the farm of a Dask scheduler that runs already; `jobs` steps at once, or 0 for as many as are ready.

    Raises:
        EngineError: none answers there.
        ProfileError: it asks for certificates, and there are none.
    """
    from distributed import Client

    quiet()
    certificates.check(address, "client")
    hint = "start one there: ./run farm.scheduler; docs/how-to/farm.md tells of networks and certificates"
    try:
        client = Client(address, timeout=LOST_AFTER_S, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise EngineError(f"no Dask scheduler answers at {address}: {_first_line(error)}", hint=hint) from error
    with client:
        word = address.replace("tcp://", "dask://")  # as --on takes it
        lacking = f"no worker is there; on each machine that shall work: ./run farm.worker {word}"
        yield Farm(client=client, store=store, kind="dask", lacking=lacking, slots=jobs or sys.maxsize)


def quiet() -> None:
    """Keep Dask's own words off the terminal, once it is imported: what matters is said by us."""
    for name in ("distributed", "tornado", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [logging.NullHandler()], False


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0]


def lost() -> EngineError:
    """Say that nobody hands steps to workers any more."""
    return EngineError(
        "the farm's scheduler is gone",
        hint="start it and its workers again; finished artifacts are kept, the same command goes on",
    )


def gone() -> tuple[type[Exception], ...]:
    """Return what Dask's client raises when it shall hand over, or take back, without its scheduler."""
    from distributed.client import ClosedClientError

    return RuntimeError, ClosedClientError


@contextlib.contextmanager
def _told_when_lost() -> Iterator[None]:
    """Turn what Dask's client raises without its scheduler into our words."""
    try:
        yield
    except LOST as error:
        raise lost() from error
