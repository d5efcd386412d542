"""The genetic search: generation after generation, each judged on one sample of the search's waveforms.

A sample is drawn anew for each generation and is the same for all its networks, so that they can be compared and none
can be lucky for long. Every so often the best network is tried on the validation part; the best of those is the result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Tuple

import numpy as np

from stages.evolve import kernels
from stages.evolve.genomes import Frame, Population, next_generation
from stages.evolve.material import WORD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.evolve.genomes import Tables, Wires
    from stages.evolve.material import Material, Part
    from stages.evolve.settings import Settings

CHECKS = 100  # how often in a search the best network is tried on the validation part

HISTORY = ("evaluations", "sample_best", "sample_mean", "validation", "validation_best")


@dataclass
class State:
    """All that the next generation needs, and the best network so far by the validation part."""

    population: Population
    random: np.random.Generator
    generation: int = 0
    best: Tuple[Wires, Tables] = field(default_factory=lambda: (np.zeros((0, 0), np.int64), np.zeros(0, np.uint64)))
    best_right: int = -1
    history: List[Dict[str, float]] = field(default_factory=list)


class Search:
    """A search over `material` in networks of the shape `frame`."""

    def __init__(self, settings: Settings, material: Material, frame: Frame) -> None:
        self._settings, self._material, self._frame = settings, material, frame
        self._is_start = settings.start != "random"
        self._words = min(settings.sample // WORD, len(material.search.label))
        self._every = max(1, settings.generations // CHECKS)

    def run(self, state: State, checked: Callable[[State], None]) -> None:
        """Go on from a state to the last generation; `checked` is called after each try on the validation part."""
        while state.generation < self._settings.generations:
            scores = self._judge(state)
            state.generation += 1
            is_check = state.generation % self._every == 0 or state.generation == self._settings.generations
            if is_check:
                self._check(state, scores)
            state.population = next_generation(
                self._frame, state.population, scores, self._settings.rewire, state.random
            )
            if is_check:
                checked(state)

    def _judge(self, state: State) -> NDArray[np.int64]:
        """Make tables and count right answers on a sample drawn for this generation."""
        part = self._material.search
        drawn = state.random.permutation(len(part.label))[: self._words]
        rows = with_neurons(part.rows[:, drawn], len(self._frame.low))
        one = state.population
        scores: NDArray[np.int64] = kernels.evaluate(
            rows, one.wires, one.tables, one.touched, part.label[drawn], self._words // 2, self._is_start
        )
        return scores

    def _check(self, state: State, scores: NDArray[np.int64]) -> None:
        """Try the best of a generation on the validation part."""
        place = int(scores.argmax())
        wires, tables = state.population.wires[place], state.population.tables[place].copy()
        if not self._is_start:
            self._remake(wires, tables)
        found = count_right(self._material.validation, wires, tables)
        if found > state.best_right:
            state.best, state.best_right = (wires.copy(), tables), found
        scored, size = WORD * (self._words - self._words // 2), self._material.validation.size
        values: Tuple[Any, ...] = (
            state.generation * self._settings.population,
            float(scores.max()) / scored,
            float(scores.mean()) / scored,
            found / size,
            state.best_right / size,
        )
        state.history.append(dict(zip(HISTORY, values)))

    def _remake(self, wires: Wires, tables: Tables) -> None:
        """Make the tables of the majority again, from the whole of the search's part."""
        part = self._material.search
        rows = with_neurons(part.rows, len(wires))
        kernels.majority(rows, wires, tables, part.label, len(part.label), buffer(wires, len(part.label)))


def count_right(part: Part, wires: Wires, tables: Tables) -> int:
    """Count what a network has right in a part."""
    return int(kernels.right(answers(part, wires, tables), part.label, 0, len(part.label)))


def answers(part: Part, wires: Wires, tables: Tables) -> NDArray[np.uint64]:
    """Return the answers of a network, [word]."""
    rows, words = with_neurons(part.rows, len(wires)), len(part.label)
    kernels.answer(rows, wires, tables, 0, len(wires), 0, words, buffer(wires, words))
    last: NDArray[np.uint64] = rows[-1]
    return last


def with_neurons(rows: NDArray[np.uint64], neurons: int) -> NDArray[np.uint64]:
    """Add rows for the neurons below those of the candidates."""
    return np.concatenate([rows, np.zeros((neurons, rows.shape[1]), np.uint64)])


def buffer(wires: Wires, words: int) -> NDArray[np.uint64]:
    """Make room for what the kernels fold."""
    return np.zeros((1 << wires.shape[-1], words), np.uint64)
