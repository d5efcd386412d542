"""Quasi-elastic and NC-elastic scattering off a free nucleon: Llewellyn Smith's formula.

Llewellyn Smith, Phys. Rept. 3 (1972) 261, with dipole form factors; GeV throughout.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Tuple

import numpy as np

from stages.dataset.lartpc.hadronise import NUCLEON
from stages.dataset.lartpc.jit import jit
from stages.dataset.lartpc.rng import State, u01

if TYPE_CHECKING:
    from stages.dataset.lartpc.tables import FloatArray

#: What is struck and how: CC on a neutron, NC on a proton, NC on a neutron.
CC, NC_PROTON, NC_NEUTRON = 0, 1, 2
SIN2_WEINBERG = 0.2312
AXIAL, AXIAL_MASS = 1.267, 0.99
Q2_MAX = 4.0


@jit
def form_factors(q2: float, target: int) -> Tuple[float, float, float]:
    """Return F1, F2 (with the anomalous moment) and FA at `q2` GeV2."""
    tau = q2 / (4.0 * NUCLEON * NUCLEON)
    dipole = (1.0 + q2 / 0.71) ** -2
    electric_n = 1.913 * tau / (1.0 + 5.6 * tau) * dipole
    magnetic_p, magnetic_n = 2.793 * dipole, -1.913 * dipole
    f1_p = (dipole + tau * magnetic_p) / (1.0 + tau)
    f2_p = (magnetic_p - dipole) / (1.0 + tau)
    f1_n = (electric_n + tau * magnetic_n) / (1.0 + tau)
    f2_n = (magnetic_n - electric_n) / (1.0 + tau)
    axial = AXIAL / (1.0 + q2 / AXIAL_MASS**2) ** 2
    if target == CC:
        return f1_p - f1_n, f2_p - f2_n, axial
    if target == NC_PROTON:
        f1 = 0.5 * (f1_p - f1_n) - 2.0 * SIN2_WEINBERG * f1_p
        f2 = 0.5 * (f2_p - f2_n) - 2.0 * SIN2_WEINBERG * f2_p
        return f1, f2, 0.5 * axial
    f1 = -0.5 * (f1_p - f1_n) - 2.0 * SIN2_WEINBERG * f1_n
    f2 = -0.5 * (f2_p - f2_n) - 2.0 * SIN2_WEINBERG * f2_n
    return f1, f2, -0.5 * axial


@jit
def weight(energy: float, q2: float, mass: float, target: int) -> float:
    """Return dsigma/dQ2 up to G_F^2 cos^2(theta_C) M^2 / (8 pi), at lepton mass `mass`, GeV."""
    f1, f2, fa = form_factors(q2, target)
    m2 = NUCLEON * NUCLEON
    tau = q2 / (4.0 * m2)
    lepton2 = mass * mass
    a = (1.0 + tau) * fa * fa - (1.0 - tau) * f1 * f1 + tau * (1.0 - tau) * f2 * f2 + 4.0 * tau * f1 * f2
    a -= lepton2 / (4.0 * m2) * ((f1 + f2) ** 2 + fa * fa)
    a *= (lepton2 + q2) / m2
    b = q2 / m2 * fa * (f1 + f2)
    c = 0.25 * (fa * fa + f1 * f1 + tau * f2 * f2)
    s_u = (4.0 * NUCLEON * energy - q2 - lepton2) / m2
    return (a + b * s_u + c * s_u * s_u) / (energy * energy)


def _ceilings() -> FloatArray:
    """Return an upper bound of weight x (1 + Q2/0.7)^2 for each target, from a grid."""
    bounds = np.zeros(3)
    for target in (CC, NC_PROTON, NC_NEUTRON):
        for energy in np.linspace(0.5, 10.0, 20):
            for q2 in np.linspace(0.0, Q2_MAX, 41):
                value = weight(float(energy), float(q2), 0.0, target) * (1.0 + q2 / 0.7) ** 2
                bounds[target] = max(bounds[target], value)
    return 1.05 * bounds  # the true maximum may lie between grid points


# Computed once, on import.
CEILING: FloatArray = _ceilings()


@jit
def draw_q2(s: State, energy: float, mass: float, target: int) -> float:
    """Draw Q2, GeV2, below 4 GeV2."""
    while True:
        r = u01(s)
        q2 = 0.7 * r / max(1e-300, 1.0 - r)
        if q2 > Q2_MAX:
            continue
        accept = weight(energy, q2, mass, target) * (1.0 + q2 / 0.7) ** 2
        if u01(s) * CEILING[target] <= accept:
            return q2


def integrated(energy: float, mass: float, target: int) -> float:
    """Return the cross section per nucleon, 1e-38 cm2, for comparison with published values."""
    q2 = np.linspace(0.0, min(Q2_MAX, 2.0 * NUCLEON * energy**2 / (NUCLEON + 2.0 * energy)), 2001)
    values = np.array([weight(energy, float(value), mass, target) for value in q2])
    area = float((0.5 * (values[1:] + values[:-1]) * np.diff(q2)).sum())
    # G_F^2 (hbar c)^2 in 1e-38 cm2/GeV2, and cos^2 of the Cabibbo angle for CC only.
    fermi = 1.16637e-5**2 * 0.389379e-27 * 1e38
    cabibbo = 0.9743**2 if target == CC else 1.0
    return area * fermi * cabibbo * NUCLEON**2 / (8.0 * math.pi)
