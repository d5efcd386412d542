"""What the tasks of a sweep and of a farm do once their words are read."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, Any

from coralline import catalogue, console, placement, runs, session
from coralline.commands import requests
from coralline.console.ending import guarded, print_json
from coralline.errors import ProfileError
from coralline.notices import Kind, Notice

if TYPE_CHECKING:
    from collections.abc import Mapping

MEASURED = "benchmark"  # what a sweep asks for, unless --only names another stage: the numbers that it compares
HOME = "127.0.0.1:8786"  # where a scheduler listens unless told otherwise: Dask asks nobody who they are


def sweep(words: Mapping[str, Any], *, dry_run: bool, as_json: bool) -> None:
    """Carry out a request at every point of a sweep, as one run, and print one table over what was swept."""
    words = {**words, "several": True, "only": words["only"] or MEASURED}
    if dry_run:
        requests.show_plan(words, as_json=as_json)
        return
    with guarded(debug=words["debug"]):
        run, ended = requests.carried_out(words)
        if not ended.interrupted:
            show(run, as_json=as_json)
        requests.end_on_trouble(run, ended)
        if not as_json:
            requests.print_end(run, ended)


def show(run: runs.Run, *, as_json: bool) -> None:
    """Print mean and spread of every number of a swept run."""
    from coralline import results, spread

    found = spread.lines(results.rows(run, session.Setting(artifacts=catalogue.artifacts()).store))
    if as_json:
        print_json(spread.document(run, found))
        return
    headers, cells = spread.table(found)
    if not cells:
        return
    print(f"run {run.id}: mean ± standard deviation over n seeds")
    console.show_table(headers, cells, disable_numparse=True, stralign="right")
    hosts = {host for line in found if line["metric"] == results.DURATION for host in line["hosts"]}
    if len(hosts) > 1:
        print("latencies are of more than one machine: " + "; ".join(sorted(hosts)))
    for label, reason in results.blocked(run):
        print(f"not made: {label}: {reason}")


def start_worker(scheduler: str) -> None:
    """Become a worker of the farm behind a Dask scheduler, with all that this machine offers; ends when told to."""
    with guarded():
        farm = _dask(scheduler)
        _become("coralline.farm.node", farm.address, "--memory-limit", "0")


def start_scheduler(address: str) -> None:
    """Become the Dask scheduler of a farm, at HOST:PORT; ends when told to."""
    with guarded():
        farm = _dask(f"dask://{address}" if "://" not in address else address)
        host, _, port = farm.address.partition("://")[2].rpartition(":")
        _check_free(host, int(port))
        _become("coralline.farm.head", farm.address)


def _dask(word: str) -> placement.Farm:
    farm = placement.parse([word]).farm
    if farm is None or farm.kind != "dask":
        raise ProfileError(f"{word!r} is not the address of a Dask scheduler", hint="write dask://HOST:PORT")
    return farm


def _check_free(host: str, port: int) -> None:
    """Refuse an address at which nothing can listen: Dask would say so at the end of a traceback."""
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    try:
        socket.create_server((host.strip("[]"), port), family=family).close()
    except OSError as error:
        raise ProfileError(
            f"nothing can listen at {host}:{port}: {error.strerror}",
            hint="name an address of this machine, and a port that nothing else has, such as an earlier scheduler",
        ) from error


def _become(module: str, *words: str) -> None:
    """Run a module in the farm's environment, in place of this process."""
    from coralline.farm import entry

    environment = entry.environment()
    environment.ensure(lambda text: console.Plain(sys.stderr).notify(Notice(kind=Kind.NOTE, text=text)))
    paths = os.pathsep.join([str(catalogue.PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [str(environment.python), "-P", "-m", module, *words]
    os.execve(environment.python, command, {**os.environ, "PYTHONPATH": paths})  # noqa: S606 - our own interpreter
