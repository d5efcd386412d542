"""Double dots as numbers: drawn within the ranges of constants.json, the same for the same random state."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Tuple

import numpy as np
from numpy.typing import NDArray

CONSTANTS = json.loads((Path(__file__).parent / "constants.json").read_text(encoding="utf-8"))
BOLTZMANN_MEV = 1e3 * float(CONSTANTS["boltzmann_ev_per_kelvin"]["value"])  # per kelvin
RANGES: Dict[str, Tuple[float, float]] = {
    name: (float(told[0]), float(told[1])) for name, told in CONSTANTS["drawn"].items() if name != "source"
}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Device:
    """Two dots, two gates and a sensor.

    `energies` is the symmetric 2 x 2 matrix of charging energies and the mutual one, meV. A gate adds `lever`[dot,
    gate] electrons to a dot over the whole scan (lever arm and cross-capacitance over the charging energy) to the
    `corner` that it begins with. `steps` is what an electron on each dot takes from the signal of the sensor, which
    is nearer to the first; `slope` what each gate adds to it over the scan; noise is in the same unit.
    """

    energies: Floats
    lever: Floats
    corner: Floats
    temperature_k: float
    steps: Floats
    slope: Floats
    white_noise: float
    flicker_noise: float

    @property
    def thermal_mev(self) -> float:
        """Thermal energy, meV."""
        return BOLTZMANN_MEV * self.temperature_k


def draw(rng: np.random.Generator, noise: float = 1.0) -> Device:
    """Draw a device; `noise` multiplies both kinds of noise."""
    first, second = (_one(rng, "charging_energy_mev") for _ in range(2))
    mutual = _one(rng, "mutual_share") * min(first, second)
    spans = [_one(rng, "electrons_scanned") for _ in range(2)]
    crosses = [_one(rng, "cross_share") for _ in range(2)]
    return Device(
        energies=np.array([[first, mutual], [mutual, second]]),
        lever=np.array([[spans[0], crosses[0] * spans[0]], [crosses[1] * spans[1], spans[1]]]),
        corner=np.array([_one(rng, "electrons_at_corner") for _ in range(2)]),
        temperature_k=_one(rng, "electron_temperature_k"),
        steps=np.array([_one(rng, "near_step"), _one(rng, "far_step")]),
        slope=np.array([_one(rng, "sensor_slope") for _ in range(2)]),
        white_noise=noise * _one(rng, "white_noise"),
        flicker_noise=noise * _one(rng, "flicker_noise"),
    )


def _one(rng: np.random.Generator, name: str) -> float:
    return float(rng.uniform(*RANGES[name]))
