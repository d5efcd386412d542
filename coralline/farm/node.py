"""Starts a Dask worker that offers what this machine has: `python -m coralline.farm.node SCHEDULER [OPTION ...]`.

The options are those of `dask worker`. `./run farm.worker` and the jobs of a batch system both come here.
"""

from __future__ import annotations

import sys

from coralline import host
from coralline.console.ending import guarded
from coralline.farm import certificates, machine

QUIETLY = ("--no-dashboard", "--dashboard-address", "127.0.0.1:0")  # pages about the work are for nobody else


def main(words: list[str]) -> None:
    """Run a worker until it is told to end."""
    from distributed.cli.dask_worker import main as dask_worker

    if "--tls-cert" not in words:  # as a batch system's jobs are told
        with guarded():
            certificates.check(words[0], "worker")
    dask_worker(options(words), prog_name="worker")


def options(words: list[str]) -> list[str]:
    """Complete the words of `dask worker` with what this machine offers, one worker for all of it."""
    offered = machine.offered(_memory_gib(words))
    told = [*words, "--resources", " ".join(f"{name}={amount:g}" for name, amount in offered.items()), *QUIETLY]
    told += [] if "--interface" in words else ["--host", _own_address(words[0])]
    return told if "--nthreads" in words else [*told, "--nthreads", str(host.cores())]


def _own_address(scheduler: str) -> str:
    """Return the address under which the scheduler sees this machine: left alone, a worker listens on all it has."""
    from distributed.comm import get_address_host
    from distributed.comm.addressing import unparse_host_port
    from distributed.utils import get_ip

    return str(unparse_host_port(get_ip(get_address_host(scheduler))))


def _memory_gib(words: list[str]) -> int | None:
    """Read the limit that a batch system set; none, or 0, means all memory of the machine."""
    from dask.utils import parse_bytes

    limit = int(parse_bytes(words[words.index("--memory-limit") + 1])) if "--memory-limit" in words else 0
    return limit >> 30 if limit else None


if __name__ == "__main__":
    main(sys.argv[1:])
