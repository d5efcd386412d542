"""How many electrons are on each dot at given gate voltages, by the constant-interaction model.

With n the charge, in electrons, that the gates induce on the dots and E the matrix of charging energies, a state with N
electrons has the energy (N - n) E (N - n) / 2, but for a term that is the same for every state (van der Wiel et al.,
2003, section II). No dot has fewer electrons than none.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, List, Tuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.dataset.stability.device import Device, Floats

    Whole = NDArray[np.int64]

# States this far from the induced charge, rounded down. The one of lowest energy is less than one electron and half the
# mutual share (at most 0.35) away from it; those left out are a whole charging energy above it.
NEAR = tuple(product(range(-1, 3), repeat=2))


def induced(device: Device, places: Floats) -> Tuple[Floats, Floats]:
    """Return the charge induced on each dot, [row, column], at `places` of both gates, as shares of the scan.

    Columns are the first gate; rows the second, which grows upwards as diagrams are drawn.
    """
    first, second = np.meshgrid(places, places[::-1])
    lever, corner = device.lever, device.corner
    return (
        corner[0] + lever[0, 0] * first + lever[0, 1] * second,
        corner[1] + lever[1, 0] * first + lever[1, 1] * second,
    )


def ground_states(device: Device, charge: Tuple[Floats, Floats]) -> Tuple[Whole, Whole]:
    """Return the electrons on each dot in the state of lowest energy, [row, column]."""
    base, energies = _states(device, charge)
    lowest = energies.argmin(axis=0)
    near = np.array(NEAR)
    return base[0] + near[lowest, 0], base[1] + near[lowest, 1]


def mean_electrons(device: Device, charge: Tuple[Floats, Floats]) -> Tuple[Floats, Floats]:
    """Return the thermal mean of the electrons on each dot, [row, column]."""
    base, energies = _states(device, charge)
    weights = np.exp((energies.min(axis=0) - energies) / device.thermal_mev)
    weights /= weights.sum(axis=0)
    first, second = np.array(NEAR, np.float64).T
    means: List[Floats] = [one + np.einsum("s,s...->...", near, weights) for one, near in zip(base, (first, second))]
    return means[0], means[1]


def line_pixels(device: Device, size: int) -> NDArray[np.bool_]:
    """Return the pixels beside a transition line, [row, column]: the next one along a gate is in another state.

    The diagram is measured at the centres of its pixels and nowhere else: that a line runs between two of them is all
    that it holds, so both are of the line. Pixels at the edge look at the next place beyond it.
    """
    first, second = ground_states(device, induced(device, centres(size, beyond=1)))
    state = first * (1 + second.max()) + second
    here = state[1:-1, 1:-1]
    beside = (state[1:-1, :-2], state[1:-1, 2:], state[:-2, 1:-1], state[2:, 1:-1])
    found: NDArray[np.bool_] = np.any([here != other for other in beside], axis=0)
    return found


def centres(size: int, beyond: int = 0) -> Floats:
    """Return the places of `size` pixels, as shares of the scan, and of so many more at each end."""
    return (np.arange(-beyond, size + beyond) + 0.5) / size


def _states(device: Device, charge: Tuple[Floats, Floats]) -> Tuple[Tuple[Whole, Whole], Floats]:
    """Return the induced charges rounded down, none below none, and the energies of the states near, meV, [state, ...].

    A state with fewer electrons than none has an infinite one.
    """
    base = np.maximum(0, np.floor(charge[0]).astype(np.int64)), np.maximum(0, np.floor(charge[1]).astype(np.int64))
    (one, mutual), (_, other) = device.energies
    first, second = base[0] - charge[0], base[1] - charge[1]
    energies: List[Floats] = []
    for here, there in NEAR:
        x, y = first + here, second + there
        energy = 0.5 * (one * x * x + other * y * y) + mutual * x * y
        energies.append(np.where((base[0] + here < 0) | (base[1] + there < 0), np.inf, energy))
    return base, np.stack(energies)
