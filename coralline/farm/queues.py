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
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline.catalogue import ARTIFACTS_VARIABLE, PROJECT
from coralline.errors import EngineError
from coralline.farm.machine import ROOM
from coralline.farm.roster import LOST_AFTER_S, Farm, quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from coralline.store import Store

SUBMITS = {"slurm": "sbatch", "htcondor": "condor_submit"}
DEFAULTS = {  # of one job, where the configuration does not say
    "slurm": {"cores": 4, "memory": "16 GiB"},
    "htcondor": {
        "cores": 4,
        "memory": "16 GiB",
        "disk": "4 GiB",
    },  # what a step writes for itself; artifacts are shared
}
LOGS = "index/jobs"  # below the store: what workers say of themselves
WALLTIME = "#SBATCH -t "  # not dask-jobqueue's half an hour, which ends most trainings: the partition's own limit
MOST_JOBS = 16  # at once, unless --jobs says otherwise
LOOPBACK = "127.0.0.1:0"  # pages about the work are for nobody else on the cluster
ROLES = ("scheduler", "worker", "client")
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
        refused: list[str] = []
        jobs = stack.enter_context(cluster(kind, store.root, stack.enter_context(keys(store.root)), refused.append))
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
            refused=refused,
        )


@contextlib.contextmanager
def keys(artifacts: Path) -> Iterator[Any]:
    """Give keys for TLS made for this run alone, in files that its jobs see and only this user may read."""
    from distributed import Security

    shared = artifacts / "index"
    shared.mkdir(parents=True, exist_ok=True)
    made = Security.temporary()
    with tempfile.TemporaryDirectory(dir=shared, prefix="tls-") as folder:
        certificate, key = Path(folder, "certificate.pem"), Path(folder, "key.pem")
        certificate.write_text(made.tls_client_cert, encoding="ascii")
        key.touch(mode=0o600)
        key.write_text(made.tls_client_key, encoding="ascii")
        roles = {
            f"tls_{role}_{kind}": str(path) for role in ROLES for kind, path in (("cert", certificate), ("key", key))
        }
        yield Security(tls_ca_file=str(certificate), require_encryption=True, **roles)


def cluster(kind: str, artifacts: Path, security: Any, refused: Callable[[str], None]) -> Any:
    """Start a scheduler here, for jobs of a batch system, none of which is asked for yet.

    `refused` is told what the batch system says when it will not take a job.

    Raises:
        EngineError: dask-jobqueue refuses the user's configuration.
    """
    from dask import config
    from dask_jobqueue import HTCondorCluster, SLURMCluster
    from dask_jobqueue.htcondor import HTCondorJob
    from dask_jobqueue.slurm import SLURMJob

    known = config.collect()  # without dask-jobqueue's own defaults

    def theirs(name: str) -> Any:
        return config.get(f"jobqueue.{kind}.{name}", None, known)  # however they write it: log-directory, log_directory

    left_open = {name: value for name, value in DEFAULTS[kind].items() if theirs(name) is None}
    if theirs("log-directory") is None:
        left_open["log_directory"] = os.fspath(artifacts / LOGS)
    if kind == "slurm" and theirs("walltime") is None:
        left_open["job_directives_skip"] = [*(theirs("job-directives-skip") or ()), WALLTIME]
    made, job = {"slurm": (SLURMCluster, SLURMJob), "htcondor": (HTCondorCluster, HTCondorJob)}[kind]
    try:
        return made(
            **left_open,
            job_cls=_telling(job, refused),
            processes=1,
            security=security,
            worker_command="coralline.farm.node",
            job_script_prologue=[*(theirs("job-script-prologue") or ()), *_surrounding(artifacts)],
            scheduler_options={"dashboard_address": LOOPBACK, **(theirs("scheduler-options") or {})},
        )
    except (ValueError, TypeError, OSError) as error:
        raise EngineError(
            f"dask-jobqueue refuses its configuration for {kind}: {error}",
            hint="mend ~/.config/dask/jobqueue.yaml; docs/how-to/farm.md shows one",
        ) from error


def _telling(job: Any, refused: Callable[[str], None]) -> type:
    """Return dask-jobqueue's class of a job, but for one that is not taken: Dask would only log it."""
    from distributed.core import Status

    class Telling(job):  # type: ignore[misc] # Dask's classes are not typed for us
        """A job that says when the batch system refuses it."""

        async def start(self) -> None:
            """Ask for the job."""
            try:
                await super().start()
            except (RuntimeError, ValueError, OSError) as error:
                refused(str(error).strip().splitlines()[-1])
                self.status = Status.running  # so that Dask asks for no other in its place, and closes what there is

    return Telling


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
