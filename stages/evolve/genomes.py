"""A population of networks as whole numbers, and how the next one is drawn: only from what hardware can be wired to.

A genome names for each pin of each neuron a row: a candidate input for the first layer, a neuron of the layer before
for the others. Every genome is a network that an FPGA can hold: there is nothing to repair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np
from numpy.typing import NDArray

TOURNAMENT = 3
ELITE = 2

Wires = NDArray[np.int64]
Tables = NDArray[np.uint64]


@dataclass(frozen=True)
class Frame:
    """The shape of all genomes: from which rows the pins of each neuron may choose, `low` <= row < `high`."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    fan_in: int

    @classmethod
    def of(cls, candidates: int, layers: Tuple[int, ...], fan_in: int) -> Frame:
        """Rows are the candidates and then all neurons, layer by layer."""
        begins = np.cumsum([0, candidates, *layers])
        low = np.repeat(begins[: len(layers)], layers)
        high = np.repeat(begins[1 : len(layers) + 1], layers)
        return cls(low, high, fan_in)

    def draw(self, random: np.random.Generator, count: int) -> Wires:
        """Draw `count` genomes evenly."""
        shape = (count, len(self.low), self.fan_in)
        return random.integers(self.low[:, np.newaxis], self.high[:, np.newaxis], shape)


@dataclass(frozen=True)
class Population:
    """Genomes: `wires` [genome, neuron, pin], `tables` [genome, neuron]; `touched` ones want new tables."""

    wires: Wires
    tables: Tables
    touched: NDArray[np.bool_]


def first(frame: Frame, random: np.random.Generator, size: int) -> Population:
    """Draw a population that knows nothing."""
    wires = frame.draw(random, size)
    return Population(wires, np.zeros(wires.shape[:2], np.uint64), np.ones(wires.shape[:2], np.bool_))


def copies(wires: Wires, tables: Tables, size: int) -> Population:
    """Begin with `size` copies of one network."""
    many = np.repeat(wires[np.newaxis], size, axis=0), np.repeat(tables[np.newaxis], size, axis=0)
    return Population(*many, np.zeros(many[1].shape, np.bool_))


def next_generation(
    frame: Frame, old: Population, scores: NDArray[np.int64], rewire: float, random: np.random.Generator
) -> Population:
    """Keep the best as they are; fill up with children of two parents, neuron by neuron, some pins of them rewired."""
    elite = np.argsort(-scores, kind="stable")[:ELITE]
    children = len(scores) - len(elite)
    one, other = (_chosen(scores, children, random) for _ in range(2))
    mixed = random.random((children, len(frame.low))) < 0.5
    wires = np.where(mixed[..., np.newaxis], old.wires[one], old.wires[other])
    tables = np.where(mixed, old.tables[one], old.tables[other])
    rewired = random.random(wires.shape) < rewire
    wires = np.where(rewired, frame.draw(random, children), wires)
    return Population(
        np.concatenate([old.wires[elite], wires]),
        np.concatenate([old.tables[elite], tables]),
        np.concatenate([np.zeros((len(elite), len(frame.low)), np.bool_), rewired.any(axis=2)]),
    )


def _chosen(scores: NDArray[np.int64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Draw parents: the best of a few, each time."""
    drawn = random.integers(0, len(scores), (count, TOURNAMENT))
    best = scores[drawn].argmax(axis=1)
    chosen: NDArray[np.int64] = drawn[np.arange(count), best]
    return chosen
