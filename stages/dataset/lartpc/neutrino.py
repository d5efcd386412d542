"""One neutrino-nucleon interaction: energy, mode, lepton and the hadrons made inside the nucleus.

Specification, section 5; GeV throughout. Cross sections per nucleon of argon-40 follow published
GENIE v3 curves and Formaggio and Zeller, Rev. Mod. Phys. 84 (2012) 1307, within about 15 %.
Resonances: after Rein and Sehgal, Ann. Phys. 133 (1981) 79. No coherent pions, strangeness or eta.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stages.dataset.lartpc.jit import jit
from stages.dataset.lartpc.rng import State, isotropic, u01
from stages.dataset.lartpc.tables import NEUTRON, PROTON, FloatArray, between

if TYPE_CHECKING:
    from stages.dataset.lartpc.hadronise import Vector

# Classes and modes, in the order of the labels and of the rows below.
CC_NUMU, CC_NUE, NC = 0, 1, 2
QE, MEC, RES, DIS = 0, 1, 2, 3
MODES = ("QE", "MEC", "RES", "DIS")

#: Energy transfer that removes a nucleon from argon, GeV.
REMOVAL = 0.028
FERMI, FERMI_TAIL = 0.245, 0.6
PAULI = 0.235

CROSS_E: FloatArray = np.array([0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 6, 10], dtype=np.float64)
# 1e-38 cm2 per nucleon; rows QE, MEC, RES, DIS.
CROSS_CC: FloatArray = np.array(
    [
        [0.42, 0.50, 0.50, 0.50, 0.49, 0.49, 0.485, 0.48, 0.47, 0.46],
        [0.05, 0.10, 0.11, 0.115, 0.12, 0.12, 0.12, 0.12, 0.12, 0.12],
        [0.05, 0.30, 0.46, 0.56, 0.61, 0.64, 0.66, 0.67, 0.68, 0.68],
        [0.0, 0.04, 0.17, 0.37, 0.66, 0.98, 1.32, 1.68, 3.0, 5.6],
    ]
)
CROSS_NC: FloatArray = np.array(
    [
        [0.140, 0.155, 0.155, 0.155, 0.155, 0.155, 0.155, 0.155, 0.155, 0.155],
        [0.01, 0.025, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03],
        [0.015, 0.10, 0.155, 0.185, 0.20, 0.21, 0.22, 0.22, 0.22, 0.22],
        [0.0, 0.015, 0.06, 0.13, 0.22, 0.33, 0.44, 0.56, 1.0, 1.8],
    ]
)

#: Places in the array that `interact` fills; the last three are the lepton's direction.
Q2, W, Y, E_LEP, COS_LEP, TARGET, LEP_X, LEP_Y, LEP_Z = 0, 1, 2, 3, 4, 5, 6, 7, 8
KINEMATICS = 9


@jit
def cross_section(label: int, mode: int, energy: float) -> float:
    """Return the cross section of one mode, 1e-38 cm2 per nucleon."""
    table = CROSS_NC if label == NC else CROSS_CC
    return between(CROSS_E, table[mode], energy)


@jit
def total_cross_section(label: int, energy: float) -> float:
    """Return the cross section of all modes, 1e-38 cm2 per nucleon."""
    total = 0.0
    for mode in range(4):
        total += cross_section(label, mode, energy)
    return total


@jit
def draw_energy(s: State, label: int, e_min: float, e_max: float) -> float:
    """Draw the energy of an interacting neutrino of a flat flux, GeV."""
    top = total_cross_section(label, e_max)
    while True:
        energy = e_min + (e_max - e_min) * u01(s)
        if u01(s) * top <= total_cross_section(label, energy):
            return energy


@jit
def draw_mode(s: State, label: int, energy: float) -> int:
    """Draw the interaction mode in proportion to its cross section."""
    left = u01(s) * total_cross_section(label, energy)
    for mode in range(3):
        left -= cross_section(label, mode, energy)
        if left <= 0.0:
            return mode
    return DIS


@jit
def fermi_momentum(s: State) -> Vector:
    """Draw the momentum of the struck nucleon: a Fermi sphere, or the tail of correlated pairs."""
    if u01(s) < 0.85:
        p = FERMI * u01(s) ** (1.0 / 3.0)
    else:
        p = 1.0 / (1.0 / FERMI - u01(s) * (1.0 / FERMI - 1.0 / FERMI_TAIL))
    x, y, z = isotropic(s)
    return p * x, p * y, p * z


@jit
def draw_lepton(s: State, energy: float, transfer: float, q2: float, mass: float, out: FloatArray) -> bool:
    """Set the lepton in `out` for a nucleon at rest; false when the kinematics are impossible."""
    e_lep = energy - transfer
    if e_lep <= mass:
        return False
    p_lep = math.sqrt(e_lep * e_lep - mass * mass)
    cosine = (2.0 * energy * e_lep - mass * mass - q2) / (2.0 * energy * p_lep)
    if abs(cosine) > 1.0:
        return False
    sine = math.sqrt(1.0 - cosine * cosine)
    phi = 2.0 * math.pi * u01(s)
    out[Q2] = q2
    out[Y] = transfer / energy
    out[E_LEP] = e_lep
    out[COS_LEP] = cosine
    out[LEP_X] = sine * math.cos(phi)
    out[LEP_Y] = sine * math.sin(phi)
    out[LEP_Z] = cosine
    return True


@jit
def momentum_transfer(energy: float, mass: float, out: FloatArray) -> Vector:
    """Return q = k_neutrino - k_lepton of the lepton in `out`, GeV/c."""
    p_lep = math.sqrt(max(0.0, out[E_LEP] ** 2 - mass * mass))
    return -p_lep * out[LEP_X], -p_lep * out[LEP_Y], energy - p_lep * out[LEP_Z]


@jit
def plus_fermi(q: Vector, fermi: Vector, part: float) -> Vector:
    """Return q + part x p_F."""
    return q[0] + part * fermi[0], q[1] + part * fermi[1], q[2] + part * fermi[2]


@jit
def length(v: Vector) -> float:
    """Return the length of a vector."""
    return math.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])


@jit
def draw_target(s: State, protons: float) -> int:
    """Return 1 for a struck proton, 0 for a neutron."""
    return 1 if u01(s) < protons else 0


@jit
def nucleon(charge: int) -> int:
    """Return the kind of a nucleon of this charge."""
    return PROTON if charge == 1 else NEUTRON
