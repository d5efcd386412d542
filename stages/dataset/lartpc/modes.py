"""The four interaction modes: kinematics and hadrons of QE, MEC, RES and DIS events.

Specification, sections 5.3 to 5.6; GeV throughout. Each function tries once and returns false when
the draw must be repeated; energy and mode are kept.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Tuple

import numpy as np

from stages.dataset.lartpc.hadronise import MOST, NUCLEON, Vector, choose_kinds, many_body, push_boosted, two_body
from stages.dataset.lartpc.jit import jit
from stages.dataset.lartpc.neutrino import (
    CC_NUMU,
    MEC,
    NC,
    PAULI,
    QE,
    REMOVAL,
    RES,
    TARGET,
    W,
    draw_lepton,
    draw_target,
    fermi_momentum,
    length,
    momentum_transfer,
    nucleon,
    plus_fermi,
)
from stages.dataset.lartpc.quasielastic import CC, NC_NEUTRON, NC_PROTON, draw_q2
from stages.dataset.lartpc.rng import State, gauss, poisson, u01
from stages.dataset.lartpc.tables import M_E, M_MU, NEUTRON, PI_MINUS, PI_PLUS, PI_ZERO, PROTON, FloatArray

if TYPE_CHECKING:
    from stages.dataset.lartpc.stack import Depth

#: 18 of the 40 nucleons of argon are protons.
PROTONS = 18.0 / 40.0
#: Draws of kinematics after which a mode counts as impossible; at 1 GeV one DIS draw in 25 succeeds, at 0.7 GeV
#: one in 1,000.
MOST_TRIES = 10000


@jit
def elastic_target(s: State, label: int) -> int:
    """Draw what is struck in QE and MEC: a neutron in CC, any nucleon in NC."""
    if label != NC:
        return CC
    return NC_PROTON if draw_target(s, PROTONS) == 1 else NC_NEUTRON


@jit
def quasielastic(
    s: State, label: int, energy: float, mass: float, out: FloatArray, hadrons: FloatArray, depth: Depth
) -> bool:
    """CC QE or NC elastic: one nucleon of momentum q + p_F, unless Pauli blocked."""
    target = elastic_target(s, label)
    q2 = draw_q2(s, energy, mass, target)
    transfer = q2 / (2.0 * NUCLEON) + REMOVAL
    fermi = fermi_momentum(s)
    if not draw_lepton(s, energy, transfer, q2, mass, out):
        return False
    momentum = plus_fermi(momentum_transfer(energy, mass, out), fermi, 1.0)
    if length(momentum) < PAULI:
        return False
    out[W] = NUCLEON
    out[TARGET] = 1.0 if target == NC_PROTON else 0.0
    kind = NEUTRON if target == NC_NEUTRON else PROTON
    push_boosted(hadrons, depth, kind, (0.0, 0.0, 0.0), NUCLEON, momentum)
    return True


@jit
def two_nucleons(
    s: State, label: int, energy: float, mass: float, out: FloatArray, hadrons: FloatArray, depth: Depth
) -> bool:
    """MEC: a pair of nucleons takes q and decays isotropically in its rest frame."""
    target = elastic_target(s, label)
    q2 = 1.1 * draw_q2(s, energy, mass, target)
    transfer = q2 / (2.0 * NUCLEON) + REMOVAL + 0.12 + 0.10 * abs(gauss(s))
    fermi = fermi_momentum(s)
    if not draw_lepton(s, energy, transfer, q2, mass, out):
        return False
    total = plus_fermi(momentum_transfer(energy, mass, out), fermi, 0.6)
    pair_energy = transfer - 0.03 + 2.0 * NUCLEON
    mass2 = pair_energy * pair_energy - length(total) ** 2
    if mass2 <= (2.0 * NUCLEON + 0.001) ** 2:
        return False
    is_pn = u01(s) < 0.80
    struck = 1 if target == NC_PROTON else 0
    if label != NC:
        first, second = PROTON, PROTON if is_pn else NEUTRON
    elif is_pn:
        first, second = PROTON, NEUTRON
    else:
        first = second = nucleon(struck)
    out[W] = math.sqrt(max(0.0, NUCLEON**2 + 2.0 * NUCLEON * transfer - q2))
    out[TARGET] = struck
    two_body(s, hadrons, depth, first, second, math.sqrt(mass2), total)
    return True


@jit
def draw_resonance(s: State, energy: float) -> Tuple[int, float]:
    """Draw the region (0 Delta, 1 second, 2 third) and its mass W, GeV (Breit-Wigner)."""
    region = 0
    if u01(s) >= 0.60 + 0.32 * math.exp(-(energy - 1.0)):
        region = 1 if u01(s) < 0.62 else 2
    centre = (1.232, 1.51, 1.68)[region]
    width = 0.117 if region == 0 else 0.13
    while True:
        w = centre + 0.5 * width * math.tan(math.pi * (u01(s) - 0.5))
        if 1.085 < w < 2.0:
            return region, w


@jit
def one_pion(s: State, label: int, is_delta: bool, target: int) -> Tuple[int, int]:
    """Draw baryon and pion of a resonance that decays to a nucleon and one pion."""
    u = u01(s)
    if label != NC:
        if target == 1:
            return PROTON, PI_PLUS
        if u < (0.62 if is_delta else 0.40):
            return PROTON, PI_ZERO
        return NEUTRON, PI_PLUS
    if u < (0.64 if is_delta else 0.42):
        return nucleon(target), PI_ZERO
    if target == 1:
        return NEUTRON, PI_PLUS
    return PROTON, PI_MINUS


@jit
def unit(v: Vector) -> Vector:
    """Return the direction of a vector."""
    size = max(1e-12, length(v))
    return v[0] / size, v[1] / size, v[2] / size


@jit
def resonance(
    s: State, label: int, energy: float, mass: float, out: FloatArray, hadrons: FloatArray, depth: Depth
) -> bool:
    """RES: a nucleon and one or two pions from a resonance of mass W."""
    region, w = draw_resonance(s, energy)
    is_delta = region == 0
    protons = 0.71 if is_delta else 0.40
    target = draw_target(s, 0.45 if label == NC else protons)
    q2 = 0.9 * (u01(s) ** (-1.0 / 3.0) - 1.0)
    if u01(s) > 1.0 - 0.5 * math.exp(-q2 / 0.1):
        return False
    transfer = (w * w + q2 - NUCLEON * NUCLEON) / (2.0 * NUCLEON) + REMOVAL
    fermi = fermi_momentum(s)
    if not draw_lepton(s, energy, transfer, q2, mass, out):
        return False
    q = momentum_transfer(energy, mass, out)
    total = plus_fermi(q, fermi, 1.0)
    out[W] = w
    out[TARGET] = target
    pairs = (0.0, 0.35, 0.50)[region]
    if w > 1.40 and u01(s) < pairs:
        kinds = np.empty(MOST, dtype=np.int64)
        choose_kinds(s, kinds, 2, target if label == NC else target + 1)
        return many_body(s, hadrons, depth, kinds, 3, w, unit(q), total)
    baryon, pion = one_pion(s, label, is_delta, target)
    two_body(s, hadrons, depth, baryon, pion, w, total)
    return True


@jit
def draw_x(s: State) -> float:
    """Draw the momentum fraction of the struck quark."""
    while True:
        x = u01(s) ** 0.75
        if u01(s) <= min(1.0, (1.0 - x) ** 2.6 * (1.0 + 1.5 * x)):
            return float(x)


@jit
def inelastic(
    s: State, label: int, energy: float, mass: float, out: FloatArray, hadrons: FloatArray, depth: Depth
) -> bool:
    """DIS and shallow inelastic scattering: a nucleon and one to eight pions."""
    target = draw_target(s, PROTONS)
    y = u01(s)
    if u01(s) < 0.15:
        y = 1.0 - (1.0 - y) ** (1.0 / 3.0)
    transfer = energy * y
    q2 = 2.0 * NUCLEON * transfer * draw_x(s)
    w2 = NUCLEON * NUCLEON + 2.0 * NUCLEON * transfer - q2
    if w2 < 1.35 * 1.35:
        return False
    if w2 < 1.8 * 1.8 and u01(s) > 0.5:
        return False
    if q2 < 0.8 and u01(s) > (q2 / 0.8) ** 0.35:
        return False
    fermi = fermi_momentum(s)
    if not draw_lepton(s, energy, transfer, q2, mass, out):
        return False
    w = math.sqrt(w2)
    q = momentum_transfer(energy, mass, out)
    out[W] = w
    out[TARGET] = target
    charged = (0.40 if target == 1 else -0.20) + 1.42 * math.log(w2)
    pions = min(8, 1 + poisson(s, max(0.3, 1.5 * charged - 2.0)))
    kinds = np.empty(MOST, dtype=np.int64)
    choose_kinds(s, kinds, pions, target if label == NC else target + 1)
    return many_body(s, hadrons, depth, kinds, pions + 1, w, unit(q), plus_fermi(q, fermi, 1.0))


@jit
def interact(
    s: State, label: int, mode: int, energy: float, out: FloatArray, hadrons: FloatArray, depth: Depth
) -> bool:
    """Fill `out` (see `neutrino`) and push the hadrons made inside the nucleus on `hadrons`.

    Returns false when the mode is impossible at this energy: the tables give DIS of muon neutrinos a
    cross section from 0.5 GeV on, but below 0.61 GeV no energy is left for the muon.
    """
    mass = 0.0
    if label != NC:
        mass = (M_MU if label == CC_NUMU else M_E) * 1e-3
    done = False
    for _ in range(MOST_TRIES):
        depth[0] = 0
        if mode == QE:
            done = quasielastic(s, label, energy, mass, out, hadrons, depth)
        elif mode == MEC:
            done = two_nucleons(s, label, energy, mass, out, hadrons, depth)
        elif mode == RES:
            done = resonance(s, label, energy, mass, out, hadrons, depth)
        else:
            done = inelastic(s, label, energy, mass, out, hadrons, depth)
        if done:
            break
    return done
