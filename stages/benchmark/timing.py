"""Times one image on one runtime: on the threads asked for, on all of them, and in batches, where the runtime can.

Everything is measured apart, each with what else the machine did meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

from stages.benchmark.batches import Batches, search
from stages.benchmark.latency import NS_PER_MS, Latency, measure
from stages.benchmark.load import LoadMeter, machine, remarks

if TYPE_CHECKING:
    from stages.benchmark.runtime import Runtime, Single
    from stages.contract import Step
    from stages.images import Pixels

VERSION = 1
SHARE_OF_A_BATCH = 0.5  # of `min_seconds`, for each size: its throughput is a mean, which settles sooner than a p99


@dataclass(frozen=True)
class Timed:
    """Single inferences on one number of threads, and what else the machine did."""

    latency: Latency
    threads: int
    load: Dict[str, Any]
    doubts: List[str]

    def document(self) -> Dict[str, Any]:
        """Describe it for `latency.json`."""
        return {
            "threads": self.threads,
            "runs": len(self.latency.runs_ns),
            "window": dict(zip(("begin_s", "end_s"), self.latency.window_s)),
            "milliseconds": self.latency.milliseconds(),
            "spread": self.latency.spread(),
            "first_inference_ms": self.latency.first_ns / NS_PER_MS,
            "load": self.load,
            "remarks": self.doubts,
        }


def time_image(
    step: Step, runtime: Runtime, single: Single, image: Pixels
) -> Tuple[List[Dict[str, Any]], Dict[str, Any]]:
    """Measure, warn of what makes it doubtful; return the numbers of the record, and `latency.json`."""
    wanted = {name: step.parameters[name] for name in ("warmup_runs", "min_runs", "min_seconds")}
    step.progress(0, 1, "measurement", "latency")
    host = machine()
    one = _single(step, single(image), step.parameters["threads"], wanted, host["governor"])
    every = _on_all_threads(step, runtime, image, wanted)
    batches, load = _in_batches(step, runtime, image)
    step.progress(1, 1, "measurement", "latency")
    numbers = one.latency.numbers()
    numbers += every.latency.numbers("latency_all_threads") if every else []
    numbers += batches.numbers() if batches else []
    return numbers, {
        "schema": "coralline.latency",
        "version": VERSION,
        **wanted,
        **one.document(),
        "timed": runtime.timed,
        "model_load_ms": runtime.load_ms,
        "machine": host,
        "runtime": runtime.facts,
        "all_threads": every.document() if every else None,
        "batches": {**batches.document(), "load": load} if batches else None,
    }


def _single(
    step: Step, infer: Callable[[], object], threads: int, wanted: Dict[str, Any], governor: Optional[str] = None
) -> Timed:
    """Time single inferences; a governor is worth one warning for all measurements."""
    meter = LoadMeter()
    latency = measure(infer, **wanted)
    load = meter.read()
    doubts = latency.remarks() + remarks(load, governor)
    _warn(step, "latency on %d thread%s" % (threads, "" if threads == 1 else "s"), doubts)
    return Timed(latency, threads, load, doubts)


def _on_all_threads(step: Step, runtime: Runtime, image: Pixels, wanted: Dict[str, Any]) -> Optional[Timed]:
    """Measure again where there are other threads than those asked for."""
    if runtime.on_all_threads is None or step.threads == step.parameters["threads"]:
        return None
    return _single(step, runtime.on_all_threads(image), step.threads, wanted)


def _in_batches(step: Step, runtime: Runtime, image: Pixels) -> Tuple[Optional[Batches], Dict[str, Any]]:
    if runtime.in_batches is None:
        return None, {}
    open_batch, meter = runtime.in_batches, LoadMeter()
    seconds = SHARE_OF_A_BATCH * step.parameters["min_seconds"]
    found = search(lambda size: open_batch(image, size), runtime.largest_batch, seconds)
    load = meter.read()
    _warn(step, "throughput", remarks(load, None))
    return found, load


def _warn(step: Step, what: str, doubts: List[str]) -> None:
    for doubt in doubts:
        step.warning("%s is uncertain: %s" % (what, doubt))
