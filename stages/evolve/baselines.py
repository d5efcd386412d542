"""What ordinary classifiers reach on the same waveforms, as a measure: logistic regression and a small float network.

Both see all samples as floats, which hardware of this size could not; no LUT network is expected to beat the second.
They learn on the search's part, stop at the epoch that is best on the validation part, and are tested once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Tuple

import numpy as np
from numpy.typing import NDArray

from stages.evolve.jit import jit
from stages.evolve.soft import exponential, step_of_adam

if TYPE_CHECKING:
    from stages.waveforms import Split

HIDDEN = 32
EPOCHS = 20
BATCH = 64
RATE = 2e-3

Array = Any  # numba takes no annotations of arrays
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Baseline:
    """A classifier's predictions of the test split, and how many weights it has."""

    name: str
    weights: int
    predicted: NDArray[np.int64]


@jit
def outputs(samples: Array, weights: Array, hidden: int) -> Array:
    """Return the outputs, [waveform]: above 0 means the second class. Without hidden neurons it is a linear sum."""
    count, inputs = samples.shape
    found = np.zeros(count)
    layer = np.zeros(max(1, hidden))
    for place in range(count):
        found[place] = _forward(samples[place], weights, hidden, inputs, layer)
    return found


@jit
def _forward(sample: Array, weights: Array, hidden: int, inputs: int, layer: Array) -> Any:
    if hidden == 0:
        total = weights[inputs]
        for place in range(inputs):
            total += weights[place] * sample[place]
        return total
    width = inputs + 1
    total = weights[hidden * width + hidden]
    for neuron in range(hidden):
        inner = weights[neuron * width + inputs]
        for place in range(inputs):
            inner += weights[neuron * width + place] * sample[place]
        layer[neuron] = max(0.0, inner)
        total += weights[hidden * width + neuron] * layer[neuron]
    return total


@jit
def learn(
    samples: Array, label: Array, order: Array, weights: Array, first: Array, second: Array, hidden: int, steps: int
) -> int:
    """Go through the waveforms once in the given order; return the steps so far."""
    inputs = samples.shape[1]
    width = inputs + 1
    slope, layer = np.zeros(len(weights)), np.zeros(max(1, hidden))
    for begin in range(0, len(order), BATCH):
        slope[:] = 0.0
        chosen = order[begin : begin + BATCH]
        for place in chosen:
            sample = samples[place]
            total = _forward(sample, weights, hidden, inputs, layer)
            bounded = min(20.0, max(-20.0, total))
            wrong = (1.0 / (1.0 + exponential(-bounded)) - label[place]) / len(chosen)
            if hidden == 0:
                slope[inputs] += wrong
                slope[:inputs] += wrong * sample
                continue
            slope[hidden * width + hidden] += wrong
            for neuron in range(hidden):
                slope[hidden * width + neuron] += wrong * layer[neuron]
                if layer[neuron] > 0.0:
                    inner = wrong * weights[hidden * width + neuron]
                    slope[neuron * width + inputs] += inner
                    slope[neuron * width : neuron * width + inputs] += inner * sample
        steps += 1
        step_of_adam(weights, slope, first, second, RATE, steps)
    return steps


def fit(name: str, hidden: int, train: Split, search: int, test: Split, seed: int) -> Baseline:
    """Train on the first `search` waveforms, choose the epoch on the others, and predict the test split."""
    mean, spread = _scale(train.codes[:search])
    samples, held = ((train.codes[part] - mean) / spread for part in (slice(0, search), slice(search, None)))
    random = np.random.default_rng([seed, hidden])
    weights = _first(samples.shape[1], hidden, random)
    moments = np.zeros_like(weights), np.zeros_like(weights)
    best, chosen, steps = -1, weights.copy(), 0
    for _ in range(EPOCHS):
        order = random.permutation(search)
        steps = learn(samples, train.labels[:search], order, weights, *moments, hidden, steps)
        right = int(((outputs(held, weights, hidden) > 0) == train.labels[search:]).sum())
        if right > best:
            best, chosen = right, weights.copy()
    predicted = outputs((test.codes - mean) / spread, chosen, hidden) > 0
    return Baseline(name, len(weights), predicted.astype(np.int64))


def _scale(codes: NDArray[np.uint16]) -> Tuple[Floats, Floats]:
    """Return mean and spread of each sample, from sums of whole numbers: the same on every machine."""
    whole, count = codes.astype(np.int64), len(codes)
    mean = whole.sum(axis=0) / count
    spread = np.sqrt((whole * whole).sum(axis=0) / count - mean * mean)
    return mean, np.maximum(spread, 0.5)


def _first(inputs: int, hidden: int, random: np.random.Generator) -> Floats:
    if hidden == 0:
        return np.zeros(inputs + 1)
    inner = random.standard_normal((hidden, inputs + 1)) / np.sqrt(inputs)
    inner[:, inputs] = 0.0
    outer = random.standard_normal(hidden) / np.sqrt(hidden)
    return np.concatenate([inner.reshape(-1), outer, [0.0]])
