"""Tasks that start the two sides of a farm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.tasks import task

from coralline.commands import farm

if TYPE_CHECKING:
    from invoke.context import Context


@task(positional=["scheduler"], help={"scheduler": "dask://HOST:PORT, or tls://HOST:PORT"})
def worker(_context: Context, scheduler: str) -> None:
    """Make steps here for runs with --on dask://HOST:PORT."""
    farm.start_worker(scheduler)


@task(
    positional=["address"],
    help={"address": "where it listens, HOST:PORT (default: this machine only, so that others come by SSH)"},
)
def scheduler(_context: Context, address: str = farm.HOME) -> None:
    """Hand steps of runs to the workers of a farm."""
    farm.start_scheduler(address)
