"""Measures each layer at each width on images that training kept for validation; the test split decides nothing.

What is compared is a float file with the same file whose one layer has few bits: answers, and how far they moved. One
layer at a time says nothing of what several do together: whoever makes a plan measures the plan.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from scipy.special import rel_entr

from stages.convert.judge import predict
from stages.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.contract import Step
    from stages.images import Row
    from stages.sensitivity.layers import Layer, Rounder
    from stages.tasks import Task

KEPT = "measured.jsonl"
TINY = 1e-12  # what a probability of zero may have been: these are of float networks


@dataclass(frozen=True)
class Measured:
    """One layer at one width: score with its 95 % interval, and mean KL(float || changed) in nats."""

    bits: int
    score: float
    interval: Tuple[float, float]
    divergence: float
    weight_bytes: int

    def document(self) -> Dict[str, Any]:
        """Describe for `sensitivity.json`."""
        return {**vars(self), "interval": list(self.interval)}


class Measure:
    """The images, decoded once, and what the float network says of them."""

    def __init__(self, task: Task, rows: Sequence[Row], size: int, flatbuffer: bytes, threads: int) -> None:
        self._task, self._rows, self._size, self._threads = task, rows, size, threads
        self._pixels = np.stack([task.images.load(row, size) for row in rows])
        self._float = predict(flatbuffer, self._pixels, threads)
        self.reference = self._scored(self._float)

    def of(self, content: bytes, bits: int, weight_bytes: int) -> Measured:
        """Compare a changed file with the float one."""
        found = predict(content, self._pixels, self._threads)
        score = self._scored(found)
        low, high = score["interval"]
        divergence = round(_divergence(self._float, found), 9)
        return Measured(bits, score["value"], (low, high), divergence, weight_bytes)

    def _scored(self, found: NDArray[np.float64]) -> Dict[str, Any]:
        """Return the score that the task names first."""
        return self._task.evaluate(self._rows, found.astype(np.float32), self._size).numbers()[0]


def _divergence(sure: NDArray[np.float64], said: NDArray[np.float64]) -> float:
    """Mean of KL(sure || said) over images, and over pixels where each has an answer of its own, in nats."""
    ours, theirs = (np.clip(one, TINY, 1) for one in (sure, said))
    if sure.shape[-1] == 1:  # one sigmoid: what is not the one is the other
        ours, theirs = (np.concatenate([one, np.maximum(TINY, 1 - one)], axis=-1) for one in (ours, theirs))
    return float(rel_entr(ours, theirs).sum(axis=-1).mean())


def measure_all(
    step: Step, measure: Measure, rounder: Rounder, layers: Sequence[Layer], widths: Sequence[int]
) -> List[List[Measured]]:
    """Measure every layer at every width, from wherever an earlier attempt was ended: [layer][width]."""
    kept = Kept(step.partial)
    progress = Progress(step, len(layers) * len(widths), "width")
    found: List[List[Measured]] = []
    for layer in layers:
        found.append([])
        for bits in widths:
            one = kept.find(layer, bits)
            if one is None:
                one = measure.of(rounder.at((layer, bits)), bits, layer.bytes_at(bits))
                kept.add(layer, one)
            found[-1].append(one)
            progress.advance()
    return found


class Kept:
    """What was measured survives a step that dies: a line each; a line that was cut short counts as not made."""

    def __init__(self, folder: Optional[Path]) -> None:
        self._path = None if folder is None else folder / KEPT
        self._found = dict(self._read())

    def find(self, layer: Layer, bits: int) -> Optional[Measured]:
        """Return what was measured of a layer at a width."""
        return self._found.get((layer.place, bits))

    def add(self, layer: Layer, one: Measured) -> None:
        """Keep one more."""
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"place": layer.place, **one.document()}) + "\n")

    def _read(self) -> Iterator[Tuple[Tuple[int, int], Measured]]:
        if self._path is None or not self._path.is_file():
            return
        *lines, rest = self._path.read_text(encoding="utf-8").split("\n")
        if rest:
            self._path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        for told in map(json.loads, lines):
            place, interval = told.pop("place"), tuple(told.pop("interval"))
            yield (place, told["bits"]), Measured(interval=interval, **told)
