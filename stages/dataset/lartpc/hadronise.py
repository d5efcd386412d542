"""Turn a hadronic system of given mass, momentum and charge into hadrons (specification 5.4 to 5.6).

Energies in GeV here; the hadrons are pushed with kinetic energies in MeV.
"""

from __future__ import annotations

import math
from typing import Tuple

import numpy as np
import numpy.typing as npt

from stages.dataset.lartpc.jit import jit
from stages.dataset.lartpc.rng import State, gauss, isotropic, turn, u01
from stages.dataset.lartpc.stack import HADRON, Depth, push
from stages.dataset.lartpc.tables import (
    MASS,
    NEUTRON,
    PI_MINUS,
    PI_PLUS,
    PI_ZERO,
    PROTON,
    FloatArray,
)

Kinds = npt.NDArray[np.int64]
Vector = Tuple[float, float, float]

#: Nucleon mass used in the interaction, GeV; proton and neutron differ only in transport.
NUCLEON = 0.938918
#: Most hadrons of one system: a baryon and eight pions.
MOST = 9


@jit
def mass_of(kind: int) -> float:
    """Return the mass used in the interaction, GeV."""
    if kind in (PROTON, NEUTRON):
        return NUCLEON
    return float(MASS[kind] * 1e-3)


@jit
def push_boosted(stack: FloatArray, depth: Depth, kind: int, rest: Vector, mass_w: float, total: Vector) -> None:
    """Push a hadron of momentum `rest` in the frame of a system of mass `mass_w`, momentum `total`."""
    mass = mass_of(kind)
    x, y, z = rest
    energy = math.sqrt(mass * mass + x * x + y * y + z * z)
    energy_w = math.sqrt(mass_w * mass_w + total[0] ** 2 + total[1] ** 2 + total[2] ** 2)
    dot = x * total[0] + y * total[1] + z * total[2]
    factor = (energy + dot / (energy_w + mass_w)) / mass_w
    x += factor * total[0]
    y += factor * total[1]
    z += factor * total[2]
    momentum2 = x * x + y * y + z * z
    kinetic = momentum2 / (math.sqrt(momentum2 + mass * mass) + mass)
    length = max(1e-12, math.sqrt(momentum2))
    origin = np.zeros(9)  # the vertex is set when the hadron is moved to the transport stack
    push(stack, depth, kind, HADRON, kinetic * 1e3, origin, (x / length, y / length, z / length))


@jit
def two_body(s: State, stack: FloatArray, depth: Depth, kind_a: int, kind_b: int, mass_w: float, total: Vector) -> None:
    """Push the two hadrons of an isotropic decay; `mass_w` must exceed the sum of their masses."""
    a, b = mass_of(kind_a), mass_of(kind_b)
    upper = mass_w * mass_w - (a + b) ** 2
    lower = mass_w * mass_w - (a - b) ** 2
    p = math.sqrt(max(0.0, upper * lower)) / (2.0 * mass_w)
    x, y, z = isotropic(s)
    push_boosted(stack, depth, kind_a, (p * x, p * y, p * z), mass_w, total)
    push_boosted(stack, depth, kind_b, (-p * x, -p * y, -p * z), mass_w, total)


@jit
def charge_of(kind: int) -> int:
    """Return the electric charge of a hadron."""
    if kind in (PROTON, PI_PLUS):
        return 1
    if kind == PI_MINUS:
        return -1
    return 0


@jit
def choose_kinds(s: State, kinds: Kinds, n_pions: int, total_charge: int) -> None:
    """Fill `kinds` with a baryon and `n_pions` pions of the right total charge (at most 200 tries)."""
    protons = 0.65 if total_charge > 0 else 0.45
    for _ in range(200):
        kinds[0] = PROTON if u01(s) < protons else NEUTRON
        charge = charge_of(kinds[0])
        for i in range(1, n_pions + 1):
            u = u01(s)
            kinds[i] = PI_ZERO if u < 0.34 else (PI_PLUS if u < 0.67 else PI_MINUS)
            charge += charge_of(kinds[i])
        if charge == total_charge:
            return


@jit
def energy_at(momenta: FloatArray, masses2: FloatArray, n: int, scale: float) -> float:
    """Return the summed energy of `n` hadrons with all momenta multiplied by `scale`."""
    total = 0.0
    for i in range(n):
        p2 = momenta[i, 0] ** 2 + momenta[i, 1] ** 2 + momenta[i, 2] ** 2
        total += math.sqrt(masses2[i] + scale * scale * p2)
    return total


@jit
def many_body(
    s: State, stack: FloatArray, depth: Depth, kinds: Kinds, n: int, mass_w: float, axis: Vector, total: Vector
) -> bool:
    """Push `n` hadrons of a jet along the unit vector `axis`; false when `mass_w` is too small.

    Transverse momenta are limited, the baryon goes backwards, and one factor on all momenta makes
    the energies add to `mass_w` (in the manner of AGKY, Eur. Phys. J. C 63 (2009) 1).
    """
    masses2 = np.empty(MOST)
    sum_of_masses = 0.0
    for i in range(n):
        mass = mass_of(kinds[i])
        masses2[i] = mass * mass
        sum_of_masses += mass
    if sum_of_masses > mass_w - 0.01:
        return False
    if n == 2:
        two_body(s, stack, depth, kinds[0], kinds[1], mass_w, total)
        return True
    momenta = np.empty((MOST, 3))
    for i in range(n):
        momenta[i, 0] = 0.30 * gauss(s)
        momenta[i, 1] = 0.30 * gauss(s)
        momenta[i, 2] = 0.25 * mass_w * gauss(s)
    momenta[0, 2] = -abs(momenta[0, 2])
    for j in range(3):
        mean = 0.0
        for i in range(n):
            mean += momenta[i, j] / n
        for i in range(n):
            momenta[i, j] -= mean
    low, high = 0.0, 1.0
    while energy_at(momenta, masses2, n, high) < mass_w:
        high *= 2.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if energy_at(momenta, masses2, n, middle) < mass_w:
            low = middle
        else:
            high = middle
    for i in range(n):
        x, y, z = turn(low * momenta[i, 0], low * momenta[i, 1], low * momenta[i, 2], axis[0], axis[1], axis[2])
        push_boosted(stack, depth, kinds[i], (x, y, z), mass_w, total)
    return True
