"""Where each column of the paper's tables is found among our artifacts, and why it is not where there is none.

Where the paper's way of making a column and ours differ there are two recipes: the paper's first, then ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Iterator, Optional, Tuple

from stages.report.gather import KERAS, STAGES, TFLITE

if TYPE_CHECKING:
    from stages.report.gather import Artifact, Gathered, Missing

PTQ = ("ptq-int8-stock", "ptq-int8")
QAT = ("qat-int8-paper", "qat-int8")
EDGE_TPU = "edgetpu"
NOT_ASKED = "no part of this request: --recipes names what is made"
NO_GPU = "no GPU was asked for: --gpus, on a machine that has one"


@dataclass(frozen=True)
class Place:
    """Which step a number comes from."""

    stage: str
    recipe: str
    runtime: str
    metric: str

    def find(self, gathered: Gathered, model: str) -> Optional[Artifact]:
        """Find the artifact; what trains has no runtime."""
        runtime = {"runtime": self.runtime} if self.stage == "benchmark" else {}
        return gathered.find(self.stage, model=model, recipe=self.recipe, **runtime)

    def why_missing(self, gathered: Gathered, model: str) -> Optional[str]:
        """Say why there is no number: the reason of the first step on the way that could not be made, if any."""
        known = [one for one in gathered.missing if one.model == model and self._leads_here(one)]
        return min(known, key=lambda one: STAGES.index(one.stage)).reason if known else None

    def why_not_run(self) -> str:
        """Say why nobody tried."""
        return NO_GPU if self.runtime == "keras-gpu" else NOT_ASKED

    def _leads_here(self, one: Missing) -> bool:
        stages = ("train", "qat") if self.stage == "qat" else ("train", "qat", "convert", "benchmark")
        on_the_way = one.stage in stages or (one.stage == "compile" and self.runtime == EDGE_TPU)
        return on_the_way and one.recipe in (self.recipe, KERAS) and one.runtime in ("", self.runtime)


def _benchmarks(recipes: Tuple[str, ...], runtime: str, metric: str) -> Tuple[Place, ...]:
    return tuple(Place("benchmark", recipe, runtime, metric) for recipe in recipes)


RIGHT, MEAN = "balanced_accuracy", "latency_mean_ms"
ACCURACY: Dict[str, Tuple[Place, ...]] = {
    "TF": _benchmarks((KERAS,), "keras-cpu", RIGHT),
    "PTQ": _benchmarks(PTQ, TFLITE, RIGHT),
    "Edge TPU PTQ": _benchmarks(PTQ, EDGE_TPU, RIGHT),
    "TF QAT": tuple(Place("qat", recipe, "keras-cpu", "simulated_balanced_accuracy") for recipe in QAT),
    "QAT quantised": _benchmarks(QAT, TFLITE, RIGHT),
    "Edge TPU QAT": _benchmarks(QAT, EDGE_TPU, RIGHT),
}
LATENCY: Dict[str, Tuple[Place, ...]] = {
    "CPU": _benchmarks((KERAS,), "keras-cpu", MEAN),
    "GPU": _benchmarks((KERAS,), "keras-gpu", MEAN),
    "Edge TPU PTQ": _benchmarks(PTQ, EDGE_TPU, MEAN),
    "Edge TPU QAT": _benchmarks(QAT, EDGE_TPU, MEAN),
}


@dataclass(frozen=True)
class Spot:
    """One cell of a table of the paper, and the place of our value; `way`: whose recipe: `paper`, `ours`, `both`."""

    table: str
    model: str
    column: str
    way: str
    place: Place


def spots(table: str, model: str) -> Iterator[Spot]:
    """Yield the cells of one model in a table, in the paper's order."""
    for column, places in (ACCURACY if table == "accuracy" else LATENCY).items():
        for way, place in zip(("both",) if len(places) == 1 else ("paper", "ours"), places):
            yield Spot(table, model, column, way, place)
