"""What the stage is told, checked as a whole."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Mapping, Tuple

from stages.contract import InputError
from stages.lut.network import MOST_INPUTS, MOST_LAYERS, MOST_NEURONS


@dataclass(frozen=True)
class Settings:
    """The parameters of `spec.py`, under the same names; sizes of parts of the data are waveforms."""

    layers: Tuple[int, ...]
    fan_in: int
    start: str
    epochs: int
    evaluations: int
    population: int
    rewire: float
    sample: int
    seed: int

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> Settings:
        """Take the step's parameters.

        Raises:
            InputError: the layers do not end in one neuron, or are more than a network may have.
        """
        told = {field.name: parameters.get(field.name, 0) for field in fields(cls)}
        settings = cls(**{**told, "layers": tuple(told["layers"])})
        if settings.layers[-1] != 1:
            raise InputError(
                "evolve.layers is %s: the last layer has not one neuron" % ",".join(map(str, settings.layers)),
                "two classes are one bit: end the layers with 1",
            )
        settings._check_sizes()
        return settings

    def _check_sizes(self) -> None:
        """Refuse before the search what a network cannot hold after it."""
        for what, value, most, remedy in (
            ("layers", len(self.layers), MOST_LAYERS, "give fewer layers"),
            ("neurons", self.neurons, MOST_NEURONS, "give fewer or smaller layers"),
            # each pin of the first layer may come to look at an input of its own
            (
                "inputs",
                self.layers[0] * self.fan_in,
                MOST_INPUTS,
                "make the first layer smaller, or lower evolve.fan_in",
            ),
        ):
            if value > most:
                raise InputError("evolve.layers asks for %d %s, at most %d can be" % (value, what, most), remedy)

    @property
    def neurons(self) -> int:
        """How many neurons there are."""
        return sum(self.layers)

    @property
    def generations(self) -> int:
        """How often the population is evaluated: at least once."""
        return max(1, self.evaluations // self.population)
