"""Properties of liquid argon and of the particles, as constants that are compiled into the kernel.

Energies in MeV, lengths in cm, cross sections in barn. Material constants and the Bethe formula:
Particle Data Group, Review of Particle Physics, "Passage of particles through matter" and "Atomic
and nuclear properties: liquid argon"; density effect: Sternheimer, Berger, Seltzer, At. Data Nucl.
Data Tables 30 (1984) 261; electrons: Berger and Seltzer (ESTAR).
"""

from __future__ import annotations

import math
from typing import Tuple

import numpy as np
import numpy.typing as npt

from stages.dataset.lartpc.jit import jit

FloatArray = npt.NDArray[np.float64]

# Kinds of particles; the order is that of MASS and PDG below.
ELECTRON, POSITRON, PHOTON, MU_MINUS, MU_PLUS = 0, 1, 2, 3, 4
PI_PLUS, PI_MINUS, PI_ZERO, PROTON, NEUTRON = 5, 6, 7, 8, 9

M_E, M_MU, M_PI, M_PI0 = 0.510999, 105.6584, 139.5704, 134.9768
M_PROTON, M_NEUTRON = 938.272, 939.565
#: Mass by kind, MeV.
MASS = np.array([M_E, M_E, 0.0, M_MU, M_MU, M_PI, M_PI, M_PI0, M_PROTON, M_NEUTRON], dtype=np.float64)
#: Monte-Carlo particle number by kind (Particle Data Group).
PDG = (11, -11, 22, 13, -13, 211, -211, 111, 2212, 2112)

DENSITY = 1.396  # g/cm3
Z_OVER_A = 18.0 / 39.948
X0 = 14.00  # radiation length, cm
MEAN_EXCITATION = 188e-6  # MeV
_K = 0.307075  # 4 pi N_A r_e^2 m_e c^2, MeV cm2/mol
#: Half of K Z/A rho: the scale of energy-loss fluctuations, MeV/cm (times 1/beta^2).
XI = 0.5 * _K * Z_OVER_A * DENSITY
#: Argon nuclei per barn and cm.
NUCLEI = 0.02104
#: Electrons per barn and cm.
ELECTRONS = DENSITY * Z_OVER_A * 0.602214
_DELTA_A, _DELTA_K, _DELTA_X0, _DELTA_X1, _DELTA_C = 0.19559, 3.0, 0.2000, 3.0000, 5.2146

POINTS = 260
T_LOW, T_HIGH = 0.05, 20000.0
_LOG_LOW = math.log(T_LOW)
_PER_LOG = (POINTS - 1) / (math.log(T_HIGH) - _LOG_LOW)


def _density_effect(beta_gamma: FloatArray) -> FloatArray:
    """Return Sternheimer's delta for liquid argon."""
    x = np.log10(beta_gamma)
    high = 2.0 * math.log(10.0) * x - _DELTA_C
    bend = _DELTA_A * np.maximum(_DELTA_X1 - x, 0.0) ** _DELTA_K
    return np.where(x < _DELTA_X0, 0.0, np.where(x < _DELTA_X1, high + bend, high))


def bethe(kinetic: FloatArray, mass: float) -> FloatArray:
    """Return the ionisation loss in MeV/cm of a heavy particle of charge 1 (Bethe, full T_max).

    Below the maximum of the Bethe curve the maximum is held: the formula fails there.
    """
    gamma = 1.0 + kinetic / mass
    bg2 = gamma * gamma - 1.0
    beta2 = bg2 / (gamma * gamma)
    t_max = 2.0 * M_E * bg2 / (1.0 + 2.0 * gamma * M_E / mass + (M_E / mass) ** 2)
    half_log = 0.5 * np.log(2.0 * M_E * bg2 * t_max / MEAN_EXCITATION**2)
    bracket = half_log - beta2 - 0.5 * _density_effect(np.sqrt(bg2))
    loss = 2.0 * XI / beta2 * bracket
    # Only the rise at low velocity counts as the maximum, not the relativistic rise.
    slow = np.where(bg2 < 1.0, loss, -np.inf)
    peak = int(np.argmax(slow))
    held: FloatArray = np.where(np.arange(loss.size) < peak, loss[peak], loss)
    return held


def berger_seltzer(kinetic: FloatArray) -> FloatArray:
    """Return the collision loss of electrons in MeV/cm (Berger and Seltzer)."""
    tau = kinetic / M_E
    gamma = tau + 1.0
    beta2 = 1.0 - 1.0 / (gamma * gamma)
    f_minus = 1.0 - beta2 + (tau * tau / 8.0 - (2.0 * tau + 1.0) * math.log(2.0)) / gamma**2
    log_term = np.log(tau * tau * (tau + 2.0) / (2.0 * (MEAN_EXCITATION / M_E) ** 2))
    delta = _density_effect(np.sqrt(gamma * gamma - 1.0))
    loss: FloatArray = XI / beta2 * (log_term + f_minus - delta)
    return loss


def _csda_range(kinetic: FloatArray, loss: FloatArray) -> FloatArray:
    """Integrate dT / loss over the grid (trapezium in ln T, which suits a power law)."""
    integrand = kinetic / loss
    pieces = 0.5 * (integrand[1:] + integrand[:-1]) * np.diff(np.log(kinetic))
    start = kinetic[0] / loss[0]
    return np.concatenate(([start], start + np.cumsum(pieces)))


GRID: FloatArray = np.exp(np.linspace(_LOG_LOW, math.log(T_HIGH), POINTS))
# Muon, pion, proton, electron: the rows of both tables.
LOSS: FloatArray = np.stack([bethe(GRID, M_MU), bethe(GRID, M_PI), bethe(GRID, M_PROTON), berger_seltzer(GRID)])
RANGE: FloatArray = np.stack([_csda_range(GRID, row) for row in LOSS])
ROW_MUON, ROW_PION, ROW_PROTON, ROW_ELECTRON = 0, 1, 2, 3


@jit
def on_grid(table: FloatArray, row: int, kinetic: float) -> float:
    """Interpolate one row of LOSS or RANGE, linearly in the logarithm of kinetic energy."""
    place = (math.log(kinetic) - _LOG_LOW) * _PER_LOG
    if place <= 0.0:
        return float(table[row, 0])
    i = min(int(place), POINTS - 2)
    part = place - i
    return float(table[row, i] * (1.0 - part) + table[row, i + 1] * part)


@jit
def loss_at(row: int, kinetic: float) -> float:
    """Return the collision loss, MeV/cm."""
    return on_grid(LOSS, row, kinetic)


@jit
def range_at(row: int, kinetic: float) -> float:
    """Return the range in the continuous-slowing-down approximation, cm."""
    return on_grid(RANGE, row, kinetic)


@jit
def between(xs: FloatArray, ys: FloatArray, x: float) -> float:
    """Interpolate linearly in a short table, held constant outside it."""
    n = xs.shape[0]
    if x <= xs[0]:
        return float(ys[0])
    for i in range(1, n):
        if x < xs[i]:
            return float(ys[i - 1] + (ys[i] - ys[i - 1]) * (x - xs[i - 1]) / (xs[i] - xs[i - 1]))
    return float(ys[n - 1])


# Hadronic cross sections on argon, barn (specification 7.4; INCL as tabulated by GENIE, Ashery et
# al., Phys. Rev. C 23 (1981) 2173, LArIAT, Phys. Rev. D 106 (2022) 052009, PDG lengths).
HADRON_T: FloatArray = np.array([0, 20, 50, 100, 150, 200, 300, 400, 500, 700, 1000, 2000, 5000], dtype=np.float64)
PION_REACTION: FloatArray = np.array([0.10, 0.245, 0.511, 0.62, 0.67, 0.67, 0.62, 0.56, 0.52, 0.50, 0.50, 0.48, 0.45])
PION_ABSORBED: FloatArray = np.array([0.95, 0.84, 0.60, 0.46, 0.40, 0.35, 0.25, 0.16, 0.11, 0.06, 0.04, 0.02, 0.01])
NUCLEON_REACTION: FloatArray = np.array([0.0, 0.35, 0.52, 0.55, 0.53, 0.52, 0.51, 0.52, 0.53, 0.55, 0.56, 0.56, 0.555])

# Mean free path inside the struck nucleus, fm (specification 6).
NUCLEUS_T: FloatArray = np.array([0, 20, 50, 100, 180, 300, 500, 800, 1500, 5000], dtype=np.float64)
FREE_PATH_PION: FloatArray = np.array([9, 7, 4.5, 2.6, 1.9, 2.3, 3.0, 3.0, 3.2, 3.2])
FREE_PATH_NUCLEON: FloatArray = np.array([6, 5, 4.2, 4.2, 4.4, 4.6, 4.4, 3.8, 3.6, 3.6])

# Pair production relative to 7/9 per radiation length, linear in ln E (specification 7.3; XCOM).
_PAIR_E = [1.022, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 5000]
PAIR_LOG_E: FloatArray = np.log(np.array(_PAIR_E, dtype=np.float64))
PAIR_SHARE: FloatArray = np.array([0, 0.012, 0.04, 0.09, 0.19, 0.35, 0.52, 0.73, 0.85, 0.91, 0.95, 0.97, 1.0])


@jit
def klein_nishina(energy: float) -> float:
    """Return the Compton cross section per electron, barn, at a photon energy in MeV."""
    k = energy / M_E
    if k < 0.02:  # the closed form cancels badly; first order of Thomson's limit
        return 0.665246 * (1.0 - 2.0 * k)
    one = 1.0 + 2.0 * k
    log = math.log(one)
    first = (1.0 + k) / (k * k) * (2.0 * (1.0 + k) / one - log / k)
    # 2 pi r_e^2 = 0.498934 barn
    return 0.498934 * (first + log / (2.0 * k) - (1.0 + 3.0 * k) / (one * one))


@jit
def photon_rates(energy: float) -> Tuple[float, float, float]:
    """Return Compton, pair and photoelectric attenuation, 1/cm, at a photon energy in MeV."""
    compton = ELECTRONS * klein_nishina(energy)
    pair = 0.0
    if energy > 2.0 * M_E:
        pair = 7.0 / (9.0 * X0) * between(PAIR_LOG_E, PAIR_SHARE, math.log(energy))
    photo = DENSITY * 0.16 * (0.1 / energy) ** 3
    return compton, pair, photo
