"""Workers from a batch system, SLURM or HTCondor, through dask-jobqueue: as many as there are steps to make.

What a job asks for comes from the user's own dask-jobqueue configuration (~/.config/dask/jobqueue.yaml); only what that
leaves open is chosen here. The scheduler runs in this process, and speaks TLS with keys made for this run alone: on a
cluster other users can reach its port, and whoever speaks to it may run anything as this user.
"""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import shutil
from typing import TYPE_CHECKING, Any

from coralline.catalogue import ARTIFACTS_VARIABLE, PROJECT
from coralline.errors import EngineError
from coralline.farm.hands import LOST_AFTER_S, Farm, quiet
from coralline.farm.machine import ROOM

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from coralline.store import Store

SUBMITS = {"slurm": "sbatch", "htcondor": "condor_submit"}
DEFAULTS = {"cores": 4, "memory": "16 GiB"}  # of one job, where the configuration does not say
WALLTIME = "#SBATCH -t "  # not dask-jobqueue's half an hour, which ends most trainings: the partition's own limit
MOST_JOBS = 16  # at once, unless --jobs says otherwise
LOOPBACK = "127.0.0.1:0"  # pages about the work are for nobody else on the cluster
UNDONE = ("waiting", "no-worker", "queued", "processing")  # states of a task in Dask's scheduler
PATIENCE_S = 60  # idle looks, one each second, before a worker is given back: the next step may soon be ready


@contextlib.contextmanager
def workers_of(kind: str, store: Store, most_jobs: int) -> Iterator[Farm]:
    """Give a farm of `kind` that has no worker yet, and grows and shrinks with the steps that are ready.

    Raises:
        EngineError: the batch system's programs are not here, or the configuration is refused.
    """
    if shutil.which(SUBMITS[kind]) is None:
        raise EngineError(
            f"{SUBMITS[kind]} is not on this machine", hint=f"run this on a machine that submits jobs to {kind}"
        )
    from distributed import Client

    quiet()
    with contextlib.ExitStack() as stack:
        jobs = stack.enter_context(cluster(kind, store.root))
        client = stack.enter_context(Client(jobs, timeout=LOST_AFTER_S, set_as_default=False))
        most = most_jobs or MOST_JOBS
        jobs.adapt(Adaptive=_as_steps_are_ready(), minimum=0, maximum=most, interval="1s", wait_count=PATIENCE_S)
        yield Farm(
            client=client,
            store=store,
            kind=kind,
            lacking=f"waiting for {kind} to start a worker",
            memory_gib=int(jobs._dummy_job.worker_memory) >> 30,  # noqa: SLF001 - dask-jobqueue tells it nowhere else
            brings=("gpu",),
        )


def cluster(kind: str, artifacts: Path) -> Any:
    """Start a scheduler here, for jobs of a batch system, none of which is asked for yet.

    Raises:
        EngineError: dask-jobqueue refuses the user's configuration.
    """
    from dask import config
    from dask_jobqueue import HTCondorCluster, SLURMCluster

    shared = artifacts / "index"  # the keys of TLS lie here, for this user's eyes only, until the run ends
    shared.mkdir(parents=True, exist_ok=True)
    theirs = config.get(f"jobqueue.{kind}", {}, config.collect())  # without dask-jobqueue's own defaults
    left_open: dict[str, Any] = {name: value for name, value in DEFAULTS.items() if name not in theirs}
    if kind == "slurm" and "walltime" not in theirs:
        left_open["job_directives_skip"] = [*theirs.get("job-directives-skip", []), WALLTIME]
    try:
        return {"slurm": SLURMCluster, "htcondor": HTCondorCluster}[kind](
            **left_open,
            processes=1,
            security=True,
            shared_temp_directory=os.fspath(shared),
            worker_command="coralline.farm.node",
            job_script_prologue=[*theirs.get("job-script-prologue", []), *_surrounding(artifacts)],
            scheduler_options={"dashboard_address": LOOPBACK, **theirs.get("scheduler-options", {})},
        )
    except (ValueError, TypeError, OSError) as error:
        raise EngineError(
            f"dask-jobqueue refuses its configuration for {kind}: {error}",
            hint="mend ~/.config/dask/jobqueue.yaml; docs/how-to/farm.md shows one",
        ) from error


def _surrounding(artifacts: Path) -> list[str]:
    """Return the shell lines with which a job finds this project and the store."""
    places = {"PYTHONPATH": os.fspath(PROJECT), ARTIFACTS_VARIABLE: os.fspath(artifacts)}
    return [f"export {name}={shlex.quote(place)}" for name, place in places.items()]


def _as_steps_are_ready() -> type:
    """Return Dask's own rule of growing and shrinking, but for how many workers are wanted.

    Dask guesses from how long tasks took so far. Our steps take minutes to hours, and most take a whole machine.
    """
    from distributed.deploy import Adaptive

    class ForEachStep(Adaptive):  # type: ignore[misc] # Dask's classes are not typed for us
        """A worker for each step that takes a machine, and for each full load of the others."""

        async def target(self) -> int:
            """Return how many workers there should be: never fewer than are at work."""
            scheduler = self.cluster.scheduler
            asked = [task.resource_restrictions or {} for task in scheduler.tasks.values() if task.state in UNDONE]
            threads = max([1, *(worker.nthreads for worker in scheduler.workers.values())])
            return max(workers_for(asked, threads), sum(bool(one.processing) for one in scheduler.workers.values()))

    return ForEachStep


def workers_for(asked: Sequence[Mapping[str, float]], threads: int) -> int:
    """Return how many workers of so many threads can make all steps at once, given what each takes of a machine."""
    whole = sum(one.get(ROOM, 0.0) == 1.0 for one in asked)
    return whole + math.ceil((len(asked) - whole) / threads)
