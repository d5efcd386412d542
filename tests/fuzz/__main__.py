"""The long run: `python -m tests.fuzz --count 100000 --kinds models,compiled,logs`.

Every case must end in an answer or a clean refusal, within a second and 256 MiB. A failure names its case, which
`--first N --count 1` repeats.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from tests.fuzz.mutate import mutate
from tests.fuzz.readers import READERS, seeds

LIMIT_S = 1.0
MEMORY_BYTES = 256 << 20
BATCH = 500


def main() -> int:
    """Run all cases on all cores and print one line for each kind; return 1 when one of them failed."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--count", type=int, default=100_000)
    words.add_argument("--first", type=int, default=0)
    words.add_argument("--kinds", default="models,compiled,logs")
    told = words.parse_args()
    summaries = [run(kind, told.first, told.count) for kind in told.kinds.split(",")]
    for summary in summaries:
        print(json.dumps(summary))
    return 1 if any(summary["failures"] for summary in summaries) else 0


def run(kind: str, first: int, count: int) -> dict[str, Any]:
    """Try `count` cases of a kind."""
    started = time.perf_counter()
    starts = range(first, first + count, BATCH)
    sizes = [min(BATCH, first + count - start) for start in starts]
    parts = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for part in pool.map(attempt, [kind] * len(sizes), starts, sizes):
            parts.append(part)
            done = sum(one["cases"] for one in parts)
            left = (time.perf_counter() - started) / done * (count - done)
            print(f"\r{kind}: {done:,} of {count:,}, {left:.0f} s left ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {
        "kind": kind,
        "cases": sum(part["cases"] for part in parts),
        "read": sum(part["read"] for part in parts),
        "refused": sum(part["cases"] - part["read"] - len(part["failures"]) for part in parts),
        "slowest_s": round(max(part["slowest_s"] for part in parts), 3),
        "peak_mib": round(max(part["peak_bytes"] for part in parts) / 2**20),
        "failures": [failure for part in parts for failure in part["failures"]][:20],
        "seconds": round(time.perf_counter() - started),
    }


def attempt(kind: str, first: int, count: int) -> dict[str, Any]:
    """Try some cases in this process, whose memory is limited."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES + _size(), resource.RLIM_INFINITY))
    reader, files = READERS[kind], seeds(kind)
    slowest, read, failures = 0.0, 0, []
    for case in range(first, first + count):
        content = mutate(files[case % len(files)], case)
        began = time.perf_counter()
        try:
            read += reader(content)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is a defect and is reported
            failures.append(f"case {case}: {error!r}")
        taken = time.perf_counter() - began
        slowest = max(slowest, taken)
        if taken > LIMIT_S:
            failures.append(f"case {case}: took {taken:.2f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"cases": count, "read": read, "slowest_s": slowest, "peak_bytes": peak, "failures": failures}


def _size() -> int:
    """Measure the address space of this process before it reads anything."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    sys.exit(main())
