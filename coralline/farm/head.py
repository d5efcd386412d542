"""Starts a Dask scheduler: `python -m coralline.farm.head ADDRESS`, as `./run farm.scheduler` does."""

from __future__ import annotations

import sys

from coralline.console.ending import guarded
from coralline.farm import certificates
from coralline.farm.node import QUIETLY


def main(address: str) -> None:
    """Run a scheduler at tcp://HOST:PORT or tls://HOST:PORT until it is told to end."""
    from distributed.cli.dask_scheduler import main as dask_scheduler

    with guarded():
        certificates.check(address, "scheduler")
    scheme, _, place = address.partition("://")
    host, _, port = place.rpartition(":")
    words = ["--protocol", scheme, "--host", host, "--port", port, "--no-jupyter", *QUIETLY]
    dask_scheduler(words, prog_name="scheduler")


if __name__ == "__main__":
    main(sys.argv[1])
