"""What the stage is told, checked as a whole."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Mapping, Tuple

from stages.contract import InputError


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
            InputError: the layers do not end in one neuron.
        """
        told = {field.name: parameters.get(field.name, 0) for field in fields(cls)}
        settings = cls(**{**told, "layers": tuple(told["layers"])})
        if settings.layers[-1] != 1:
            raise InputError(
                "evolve.layers is %s: the last layer has not one neuron" % ",".join(map(str, settings.layers)),
                "two classes are one bit: end the layers with 1",
            )
        return settings

    @property
    def neurons(self) -> int:
        """How many neurons there are."""
        return sum(self.layers)

    @property
    def generations(self) -> int:
        """How often the population is evaluated: at least once."""
        return max(1, self.evaluations // self.population)
