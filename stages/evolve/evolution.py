"""A whole evolution, put together from its parts: start, search, and the network that comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Tuple

import numpy as np

from stages.evolve import genomes
from stages.evolve.genomes import Frame, Population
from stages.evolve.gradient import Soft
from stages.evolve.search import Search, State
from stages.lut.network import Network

if TYPE_CHECKING:
    from stages.contract import Step
    from stages.evolve.checkpoint import Checkpoints
    from stages.evolve.genomes import Tables, Wires
    from stages.evolve.material import Material
    from stages.evolve.settings import Settings


class Evolution:
    """What one step evolves, on what; `started_at` is the generation at which it was taken up, 0 when at its begin."""

    def __init__(self, step: Step, settings: Settings, material: Material, checkpoints: Checkpoints) -> None:
        self._step, self._settings, self._material, self._checkpoints = step, settings, material, checkpoints
        self._frame = Frame.of(material.candidates, settings.layers, settings.fan_in)
        self.started_at = 0

    def run(self) -> State:
        """Search to the end, from the last checkpoint when there is one."""
        state = self._checkpoints.search()
        if state is None:
            state = self._begin()
        else:
            self.started_at = state.generation
        Search(self._settings, self._material, self._frame).run(state, self._checked)
        return state

    def _begin(self) -> State:
        random = np.random.default_rng(self._settings.seed)
        if self._settings.start == "random":
            return State(genomes.first(self._frame, random, self._settings.population), random)
        population, random = self._learnt(random)
        return State(population, random)

    def _learnt(self, random: np.random.Generator) -> Tuple[Population, np.random.Generator]:
        """Let the gradient find a network, and begin the search with copies of it."""
        soft, epochs = Soft.draw(self._frame, random), self._settings.epochs
        kept = self._checkpoints.soft()
        if kept is not None:
            soft, random = kept
        while soft.epochs < epochs:
            share = soft.learn(self._material.search, random, epochs)
            self._checkpoints.keep_soft(soft, random)
            self._tell(0, "soft tables, epoch %d of %d, %.3f right" % (soft.epochs, epochs, share))
        return genomes.copies(*soft.harden(), self._settings.population), random

    def _checked(self, state: State) -> None:
        self._checkpoints.keep(state)
        told = "%.4f right on the validation part" % state.history[-1]["validation_best"]
        self._tell(state.generation, told)

    def _tell(self, generation: int, told: str) -> None:
        """Tell how far it is in evaluations: all that comes before them is starting up."""
        size = self._settings.population
        self._step.progress(generation * size, self._settings.generations * size, "evaluation", told)


def network_of(settings: Settings, material: Material, bits: int, samples: int, best: Tuple[Wires, Tables]) -> Network:
    """Return the network of a genome without what its answer does not hang on: idle neurons, and inputs read twice."""
    wires, tables = best
    first = material.candidates
    live = [np.array([first + len(wires) - 1])]
    for _ in settings.layers:
        live.insert(0, np.unique(wires[live[0] - first]))
    inputs, neurons = live[0], live[1:]
    wiring = [np.searchsorted(before, wires[after - first]) for before, after in zip(live, neurons)]
    return Network(
        samples=samples,
        bits=bits,
        sample=material.sample[inputs].astype(np.uint16),
        threshold=material.threshold[inputs].astype(np.uint16),
        layers=tuple(len(layer) for layer in neurons),
        wiring=np.concatenate(wiring).astype(np.uint16),
        tables=tables[np.concatenate(neurons) - first],
    )
