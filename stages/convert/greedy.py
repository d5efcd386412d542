"""Searches the ranges of the noisiest activations group by group, where no rule for all of them is good enough.

An activation's own noise is what rounding and cutting do to it: a range can change no more than that. It is taken for
each image by itself, as one odd image can hold nearly all of an activation's energy. A group's ranges are kept when
the file is better on the judging images than before, by more than noise. The number of tries is fixed and no clock is
looked at: the same step makes the same file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Sequence

import numpy as np

from stages.convert.int8 import quantise
from stages.convert.walk import Reference
from stages.progress import Progress
from stages.tflite.model import Tensor, read_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.contract import Step
    from stages.convert.judge import Judge
    from stages.convert.ranges import Ranges

GROUP = 4  # activations whose ranges are scaled together
GROUPS = 8
FACTORS = (0.7, 0.85, 1.2)
SAME = 0.01  # relative difference of a range in the file from the one that was asked for


@dataclass(frozen=True)
class Kept:
    """What was found: the ranges, the file with them, and which groups were scaled by what."""

    ranges: Ranges
    content: bytes
    tries: int
    scaled: List[Dict[str, Any]]


def search_ranges(step: Step, flatbuffer: bytes, ranges: Ranges, judge: Judge, pixels: NDArray[np.uint8]) -> Kept:
    """Scale the ranges of the noisiest activations, one group after the other, and keep what makes the file better."""
    content = quantise(flatbuffer, ranges)
    score = judge.worse(content)
    names = [tensor.name for tensor in read_model(flatbuffer).main.tensors]
    noisy = noisiest(flatbuffer, content, ranges, pixels)
    groups = [noisy[first : first + GROUP] for first in range(0, min(len(noisy), GROUP * GROUPS), GROUP)]
    progress = Progress(step, len(groups) * len(FACTORS), "range", "searching ranges")
    scaled: List[Dict[str, Any]] = []
    for group in groups:
        kept = None
        for factor in FACTORS:
            tried = _scaled(ranges, group, factor)
            made = quantise(flatbuffer, tried)
            found = judge.worse(made)
            progress.advance()
            if found.betters(score) and (kept is None or found.order < kept[0].order):
                kept = found, tried, made, factor
        if kept is not None:
            score, ranges, content, factor = kept
            scaled.append({"activations": [names[index] for index in group], "factor": factor})
    return Kept(ranges, content, len(groups) * len(FACTORS), scaled)


def noisiest(flatbuffer: bytes, content: bytes, ranges: Ranges, pixels: NDArray[np.uint8]) -> List[int]:
    """List the activations whose ranges are ours to choose, the one with the most noise of its own first.

    Not ours are ranges that the quantiser fixes (LOGISTIC, SOFTMAX) or takes from another activation.
    """
    graph = read_model(content).main
    quantised = {tensor.name: tensor for tensor in graph.tensors if tensor.dtype == "int8" and not tensor.is_constant}
    reference = Reference(flatbuffer, pixels)
    float_graph = read_model(flatbuffer).main
    noise: Dict[int, float] = {}
    for operator in float_graph.operators:
        for index in operator.outputs:
            tensor = quantised.get(float_graph.tensors[index].name)
            if tensor is not None and index in ranges and _is_ours(tensor, ranges[index]):
                values = reference.values(tensor.name)
                if values is not None:
                    noise[index] = _own_noise(values, tensor)
    return sorted(noise, key=lambda index: (-noise[index], index))


def _own_noise(values: NDArray[np.float32], tensor: Tensor) -> float:
    """Share of the energy that rounding and cutting take, at most 1, on average over the images."""
    scale, zero_point = tensor.scales[0], tensor.zero_points[0]
    real = values.reshape(len(values), -1).astype(np.float64)
    made = (np.clip(np.rint(real / scale) + zero_point, -128, 127) - zero_point) * scale
    noise, signal = np.square(made - real).sum(axis=1), np.square(real).sum(axis=1)
    return float(np.minimum(1, noise / np.maximum(signal, np.finfo(np.float64).tiny)).mean())


def _is_ours(tensor: Tensor, asked: Sequence[float]) -> bool:
    width = max(asked[1], 0.0) - min(asked[0], 0.0)  # the quantiser takes zero in
    return abs(255 * tensor.scales[0] - width) <= SAME * width


def _scaled(ranges: Ranges, group: Sequence[int], factor: float) -> Ranges:
    return {**ranges, **{index: (ranges[index][0] * factor, ranges[index][1] * factor) for index in group}}
