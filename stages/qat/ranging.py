"""Which ranges a training simulates: those of the rule whose file is nearest to the float network before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from stages.convert.calibration import Observer, makers
from stages.convert.int8 import quantise
from stages.convert.judge import predict
from stages.convert.ranges import RULES, Ranges, clip_swish, swish_inputs
from stages.progress import Progress
from stages.tasks.classification import divergences
from stages.tflite.model import read_model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.contract import Step

    Divergences = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class Ranged:
    """The int8 file of a float one by one rule; `ranges` are by the index of the tensor in the float file."""

    rule: str
    ranges: Ranges
    content: bytes
    flatbuffer: bytes
    divergence: float

    def document(self) -> List[Dict[str, Any]]:
        """List them in the order of the graph: names of tensors change with the weights that are folded into them."""
        return [
            {"operator": maker, "low": float(self.ranges[index][0]), "high": float(self.ranges[index][1])}
            for index, maker in makers(read_model(self.flatbuffer))
        ]


def best_ranges(step: Step, flatbuffer: bytes, observed: NDArray[np.uint8], apart: Divergences = divergences) -> Ranged:
    """Try every rule on what the images in `observed`, [image, y, x, 3], do to the activations.

    `apart` says of the float network's answers and others how far each image's are from each other.
    """
    progress = Progress(step, len(RULES), "rule", "choosing ranges")
    observer = Observer(flatbuffer, observed.__getitem__, observed.shape[1], step.threads)
    statistics = observer.statistics(range(len(observed)))
    swish, sure = swish_inputs(observer.model), predict(flatbuffer, observed, step.threads)
    best: Optional[Ranged] = None
    for rule, make in RULES.items():
        ranges = clip_swish(make(statistics), swish)
        content = quantise(flatbuffer, ranges)
        found = float(apart(sure, predict(content, observed, step.threads)).mean())
        if best is None or found < best.divergence:
            best = Ranged(rule, ranges, content, flatbuffer, found)
        progress.advance()
    if best is None:
        raise RuntimeError("there is no range rule")
    return best
