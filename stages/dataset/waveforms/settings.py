"""What the simulation of pulses is told, checked as a whole."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Mapping

from stages.contract import InputError

PRETRIGGER = 8  # one in so many samples lies before the light


@dataclass(frozen=True)
class Settings:
    """The physics of `stages/dataset/sources/waveforms.py`, under the same names."""

    samples: int
    bits: int
    sample_ns: float
    codes_per_pe: float
    pe_min: float
    pe_max: float
    delay_min_ns: float
    delay_max_ns: float
    scintillator_ns: float
    rise_ns: float
    fall_ns: float
    gain_spread: float
    crosstalk: float
    dark_mhz: float
    noise_pe: float

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> Settings:
        """Take the step's parameters.

        Raises:
            InputError: two of them contradict each other.
        """
        settings = cls(**{field.name: parameters[field.name] for field in fields(cls)})
        if settings.rise_ns == settings.fall_ns:
            raise InputError("dataset.rise_ns is %g, dataset.fall_ns too" % settings.rise_ns, "make the first smaller")
        for low, high in (("pe_min", "pe_max"), ("delay_min_ns", "delay_max_ns"), ("rise_ns", "fall_ns")):
            if getattr(settings, low) > getattr(settings, high):
                raise InputError(
                    "dataset.%s is %g, above dataset.%s, %g"
                    % (low, getattr(settings, low), high, getattr(settings, high)),
                    "make the first the smaller one",
                )
        if settings.delay_max_ns > settings.window_ns - settings.light_ns:
            raise InputError(
                "a delay of %g ns leads out of a window of %g ns" % (settings.delay_max_ns, settings.window_ns),
                "lower dataset.delay_max_ns, or raise dataset.samples",
            )
        return settings

    @property
    def window_ns(self) -> float:
        """How long a waveform lasts."""
        return self.samples * self.sample_ns

    @property
    def light_ns(self) -> float:
        """When the first light comes, but for its phase within a sample."""
        return self.samples // PRETRIGGER * self.sample_ns
