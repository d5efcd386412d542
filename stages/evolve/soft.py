"""Networks of soft lookup tables, and the slope of their error: pins that choose among inputs, entries between 0 and 1.

A pin reads the mean of its choices, weighted by `share` [neuron, pin, choice]; a table answers the mean of its entries
[neuron, entry], weighted by how much its pins point to each. Where all shares and entries are 0 or 1 this is a network
of hard tables. Only additions, products, divisions and roots are used: the same bits on every machine.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stages.evolve.jit import jit

Array = Any  # numba takes no annotations of arrays

DOUBLINGS = 20
LEAST = 1e-3  # of the product of both probabilities: bounds the slope of the error where an answer is sure
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Adam, arXiv:1412.6980, section 2


@jit
def exponential(x: float) -> float:
    """Return (1 + x / 2**20) ** (2**20), which is exp(x) to six digits for |x| < 1, with the same bits everywhere."""
    power = 1.0 + x / (1 << DOUBLINGS)
    for _ in range(DOUBLINGS):
        power *= power
    return power


@jit
def shares(weights: Array, sharpness: float, found: Array) -> None:
    """Softmax of the last axis of weights [neuron, pin, choice]."""
    neurons, pins, choices = weights.shape
    for neuron in range(neurons):
        for pin in range(pins):
            most, total = weights[neuron, pin].max(), 0.0
            for choice in range(choices):
                found[neuron, pin, choice] = exponential(max(-60.0, sharpness * (weights[neuron, pin, choice] - most)))
                total += found[neuron, pin, choice]
            found[neuron, pin] /= total


@jit
def step_of_adam(weights: Array, slope: Array, first: Array, second: Array, rate: float, steps: int) -> None:
    """Move all weights (flat arrays) against the slope, by Adam's rule."""
    left1, left2 = 1.0, 1.0
    for _ in range(steps):
        left1 *= BETA1
        left2 *= BETA2
    for place in range(len(weights)):
        first[place] = BETA1 * first[place] + (1.0 - BETA1) * slope[place]
        second[place] = BETA2 * second[place] + (1.0 - BETA2) * slope[place] * slope[place]
        mean, square = first[place] / (1.0 - left1), second[place] / (1.0 - left2)
        weights[place] -= rate * mean / (math.sqrt(square) + EPSILON)


@jit
def add_slopes(
    bits: Array,
    label: Array,
    chosen: Array,
    inputs: int,
    choices: Array,
    share: Array,
    entries: Array,
    to_share: Array,
    to_entries: Array,
) -> int:
    """Add the slopes of the error of the chosen waveforms to `to_share` and `to_entries`; count the right answers.

    `bits` is [waveform, input] of 0 and 1, `choices` [neuron, pin, choice] names values: the inputs, then the neurons.
    """
    neurons, pins, most = choices.shape
    width = 2 << pins  # all levels of a table's folding beside each other: 2**pins entries, then half as many, ...
    value, slope = np.zeros(inputs + neurons), np.zeros(inputs + neurons)
    pin_value, folds, fold_slope = np.zeros((neurons, pins)), np.zeros((neurons, width)), np.zeros(width)
    right = 0
    for waveform in chosen:
        for place in range(inputs):
            value[place] = bits[waveform, place]
        slope[:] = 0.0
        for neuron in range(neurons):
            for pin in range(pins):
                mean = 0.0
                for choice in range(most):
                    mean += share[neuron, pin, choice] * value[choices[neuron, pin, choice]]
                pin_value[neuron, pin] = mean
            value[inputs + neuron] = _fold(entries[neuron], pin_value[neuron], folds[neuron])
        answer, truth = value[inputs + neurons - 1], float(label[waveform])
        right += (answer > 0.5) == (truth > 0.5)
        slope[inputs + neurons - 1] = (answer - truth) / (answer * (1.0 - answer) + LEAST)  # of the cross entropy
        for neuron in range(neurons - 1, -1, -1):
            if slope[inputs + neuron] != 0.0:
                _unfold(
                    slope[inputs + neuron],
                    neuron,
                    inputs,
                    value,
                    slope,
                    choices,
                    share,
                    pin_value[neuron],
                    folds[neuron],
                    fold_slope,
                    to_share,
                    to_entries,
                )
    return right


@jit
def _fold(entries: Array, pin_value: Array, folds: Array) -> Any:
    """Take the mean of a table's entries, pin by pin: each halves how many there are."""
    size, base = len(entries), 0
    folds[:size] = entries
    for pin in range(len(pin_value)):
        above = base + size
        size >>= 1
        for place in range(size):
            low, high = folds[base + 2 * place], folds[base + 2 * place + 1]
            folds[above + place] = low + (high - low) * pin_value[pin]
        base = above
    return folds[base]


@jit
def _unfold(
    slope_here: float,
    neuron: int,
    inputs: int,
    value: Array,
    slope: Array,
    choices: Array,
    share: Array,
    pin_value: Array,
    folds: Array,
    fold_slope: Array,
    to_share: Array,
    to_entries: Array,
) -> None:
    """Hand a neuron's slope on to its entries, to its pins' shares and to the neurons that they read."""
    pins = len(pin_value)
    size, base = 1, (2 << pins) - 2
    fold_slope[base] = slope_here
    for pin in range(pins - 1, -1, -1):
        below = base - 2 * size
        pin_slope = 0.0
        for place in range(size):
            one = fold_slope[base + place]
            fold_slope[below + 2 * place] = one * (1.0 - pin_value[pin])
            fold_slope[below + 2 * place + 1] = one * pin_value[pin]
            pin_slope += one * (folds[below + 2 * place + 1] - folds[below + 2 * place])
        base, size = below, 2 * size
        for choice in range(choices.shape[2]):
            source = choices[neuron, pin, choice]
            to_share[neuron, pin, choice] += pin_slope * value[source]
            if source >= inputs:
                slope[source] += pin_slope * share[neuron, pin, choice]
    for place in range(size):
        to_entries[neuron, place] += fold_slope[place]
