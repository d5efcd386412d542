"""Run a function over many tasks in order, in this process or in forked workers that never outlive it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Callable, Deque, Iterable, Iterator, TypeVar

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
#: Tasks handed out ahead of the one whose result is awaited, per worker; bounds memory.
_AHEAD = 4


def _follow_parent(parent: int) -> None:
    """Let the kernel kill this worker when its parent dies, even by SIGKILL; leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent died before prctl was called
        os._exit(1)


def in_order(function: Callable[[_Task], _Result], tasks: Iterable[_Task], processes: int) -> Iterator[_Result]:
    """Yield `function(task)` for every task, in the order of the tasks, whatever `processes` is.

    Workers are forked, so what the parent has compiled is compiled. A worker that is killed raises
    `concurrent.futures.process.BrokenProcessPool`.
    """
    if processes == 1:
        yield from map(function, tasks)
        return
    pool = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("fork"),
        initializer=_follow_parent,
        initargs=(os.getpid(),),
    )
    waiting: Deque[Future[_Result]] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(function, task))
            if len(waiting) >= processes * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        pool.shutdown(wait=True)
