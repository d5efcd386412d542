"""A step inside a Dask worker: told about through the scheduler, ended when nobody wants it any more.

Dask cannot end what runs in a thread. A step therefore watches what its worker thinks of it: it is given up when the
run is stopped, when the front is gone, and when the worker closes. Where another worker shall have it, Dask is told.
"""

from __future__ import annotations

import contextlib
import functools
import pickle
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from coralline.farm import project
from coralline.farm.task import LOOK_EVERY_S, Failed, Made, Task, Teller, carry_out, other_project
from coralline.make import InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Worker

TAKEN = "taken"  # begins what a worker tells of a step: the name under which it was handed over
WANTED = ("executing", "long-running", "resumed")  # states of a task that somebody waits for (distributed's worker)
ENDING = ("closing", "closed", "failed")  # states of a worker that will not finish its tasks


def make(payload: bytes, topic: str, digest: str) -> Made | Failed:
    """Make the pickled `Task`; what it tells goes to all who listen to `topic`, first of all that it is here.

    `digest` is that of the front's code: where it is not ours, the payload would be misread.
    """
    from distributed import Reschedule, get_worker

    worker = get_worker()
    worker.log_event(topic, {TAKEN: worker.get_current_task()})
    if digest != project.digest():
        return Failed.of(other_project("coralline/"))
    task: Task = pickle.loads(payload)  # noqa: S301 - from whoever this worker serves, and so may run anything here
    with _leash(worker, worker.get_current_task()) as cancelled:
        try:
            tell = Teller(functools.partial(worker.log_event, topic))
            return carry_out(task, tell, cancelled, Path(worker.local_directory), worker.state.nthreads)
        except InterruptedRunError:
            raise Reschedule from None  # for the run that was stopped this means nothing


@contextlib.contextmanager
def _leash(worker: Worker, key: object) -> Iterator[threading.Event]:
    """Give an event that is set once nobody waits for the task."""
    cancelled, over = threading.Event(), threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_EVERY_S):
            state = worker.state.tasks.get(key)
            if state is None or state.state not in WANTED or worker.status.name in ENDING:
                cancelled.set()
                return

    watcher = threading.Thread(target=watch, daemon=True, name="leash")
    watcher.start()
    try:
        yield cancelled
    finally:
        over.set()
        watcher.join()
