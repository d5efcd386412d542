"""Hadrons in argon nuclei: leaving the struck nucleus, and reacting with a nucleus in flight.

Specification, sections 6 and 7.5: one step in the spirit of GENIE's hA model (GENIE, Nucl. Instrum.
Meth. A 614 (2010) 87). How energy is shared is invented; only the rates follow data. Charge is not
conserved reaction by reaction.
"""

from __future__ import annotations

import math

from stages.dataset.lartpc.jit import jit
from stages.dataset.lartpc.rng import State, isotropic, poisson, u01
from stages.dataset.lartpc.stack import DIR_X, DIR_Y, DIR_Z, HADRON, KIND, KINETIC, Depth, Particle, forward, push
from stages.dataset.lartpc.tables import (
    FREE_PATH_NUCLEON,
    FREE_PATH_PION,
    HADRON_T,
    M_PI,
    MASS,
    NEUTRON,
    NUCLEUS_T,
    PI_MINUS,
    PI_PLUS,
    PI_ZERO,
    PION_ABSORBED,
    PROTON,
    FloatArray,
    between,
)

#: 1.25 fm x A^(1/3).
RADIUS_FM = 4.27
#: Formation length per p/m, fm: 0.342 fm/c as in GENIE.
FORMATION_FM = 0.342
#: Energy a nucleon loses on leaving the nucleus, MeV.
BINDING = 8.0


@jit
def share(
    s: State,
    stack: FloatArray,
    depth: Depth,
    p: Particle,
    role: int,
    n: int,
    energy: float,
    protons: float,
    k: float,
) -> None:
    """Push `n` nucleons that share `energy` MeV by exponential weights, directed as exp(k cos).

    A nucleon is a proton with probability `protons`; those below 1 MeV are dropped. Breaking a stick
    piece by piece gives the same joint distribution as normalised exponential weights.
    """
    rest = energy
    for left in range(n - 1, -1, -1):
        kinetic = rest
        if left > 0:
            kinetic = rest * (1.0 - u01(s) ** (1.0 / left))
        rest -= kinetic
        kind = PROTON if u01(s) < protons else NEUTRON
        direction = forward(s, p, k)
        if kinetic >= 1.0:
            push(stack, depth, kind, role, kinetic, p, direction)


@jit
def any_pion(s: State, zero: float, plus: float) -> int:
    """Return a pion kind: pi0 with probability `zero`, pi+ with `plus`, else pi-."""
    u = u01(s)
    if u < zero:
        return PI_ZERO
    if u < zero + plus:
        return PI_PLUS
    return PI_MINUS


@jit
def by_charge(kind: int, plus: float, minus: float, zero: float) -> float:
    """Return the value that belongs to a pion's charge."""
    if kind == PI_PLUS:
        return plus
    if kind == PI_MINUS:
        return minus
    return zero


@jit
def react_pion(s: State, stack: FloatArray, depth: Depth, p: Particle, role: int) -> None:
    """Push the products of a pion's reaction with an argon nucleus (specification 7.5)."""
    t = p[KINETIC]
    kind = int(p[KIND])
    if u01(s) < between(HADRON_T, PION_ABSORBED, t):
        n = 2 + poisson(s, 0.8 + t / 400.0)
        energy = max(20.0, t + M_PI - 9.0 * n - 25.0 * u01(s)) * (0.65 + 0.3 * u01(s))
        protons = by_charge(kind, 0.72, 0.22, 0.48)
        share(s, stack, depth, p, role, n, energy, protons, 0.8 * t / (t + 200.0))
        return
    if u01(s) < min(0.5, (t - 350.0) / 1200.0):
        available = t - 150.0
        part = 0.15 + 0.7 * u01(s)
        t_lead = part * available
        lead = PI_ZERO if u01(s) < 0.25 else kind
        t_next = (1.0 - part) * (0.3 + 0.5 * u01(s)) * available
        push(stack, depth, lead, role, t_lead, p, forward(s, p, 1.0 + t_lead / 80.0))
        push(stack, depth, any_pion(s, 0.40, 0.30), role, t_next, p, forward(s, p, 1.0 + t_next / 120.0))
        n = 1 + poisson(s, 0.7)
        share(s, stack, depth, p, role, n, available - t_lead - t_next, 0.5, 1.5)
        return
    t_out = t * (0.3 + 0.7 * u01(s) ** 0.7)
    out = kind
    u = u01(s)
    if kind == PI_ZERO:
        if u < 0.15:
            out = PI_PLUS
        elif u < 0.30:
            out = PI_MINUS
    elif u < 0.20:
        out = PI_ZERO
    k = 0.4 + 3.0 * t_out / (t - t_out + 30.0) * t / (t + 150.0)
    push(stack, depth, out, role, t_out, p, forward(s, p, k))
    n = 1 + poisson(s, 0.4)
    share(s, stack, depth, p, role, n, 0.8 * (t - t_out) - 8.0, by_charge(kind, 0.62, 0.38, 0.5), 0.8)


@jit
def react_nucleon(s: State, stack: FloatArray, depth: Depth, p: Particle, role: int) -> None:
    """Push the products of a nucleon's reaction with an argon nucleus (specification 7.5)."""
    t = p[KINETIC]
    kind = int(p[KIND])
    if u01(s) < min(0.40, (t - 400.0) / 1500.0):
        available = t - 180.0
        part = 0.2 + 0.5 * u01(s)
        pion_part = (1.0 - part) * (0.3 + 0.5 * u01(s))
        plus = 0.50 if kind == PROTON else 0.10
        pion = any_pion(s, 0.40, plus)
        push(stack, depth, pion, role, pion_part * available, p, forward(s, p, 2.0))
        share(s, stack, depth, p, role, 2, (1.0 - pion_part) * available - 10.0, 0.48, 2.0)
        return
    part = 0.15 + 0.8 * u01(s)
    lead = kind
    if u01(s) < 0.20:
        lead = NEUTRON if kind == PROTON else PROTON
    direction = forward(s, p, 0.5 + 4.0 * part * part)
    if part * t >= 1.0:
        push(stack, depth, lead, role, part * t, p, direction)
    rest = (1.0 - part) * t - 10.0
    if rest > 5.0:
        share(s, stack, depth, p, role, 1 + poisson(s, 0.8), 0.8 * rest, 0.48, 0.8)


@jit
def react(s: State, stack: FloatArray, depth: Depth, p: Particle, role: int) -> None:
    """Push the products of a hadron's reaction with an argon nucleus."""
    if p[KIND] == PROTON or p[KIND] == NEUTRON:
        react_nucleon(s, stack, depth, p, role)
    else:
        react_pion(s, stack, depth, p, role)


@jit
def path_to_surface(s: State, p: Particle) -> float:
    """Return the way out, fm, from a uniform point of the nucleus along the direction of `p`."""
    radius = RADIUS_FM * u01(s) ** (1.0 / 3.0)
    x, y, z = isotropic(s)
    along = radius * (x * p[DIR_X] + y * p[DIR_Y] + z * p[DIR_Z])
    return float(math.sqrt(RADIUS_FM * RADIUS_FM - radius * radius + along * along) - along)


@jit
def leave_nucleus(s: State, hadron: Particle, stack: FloatArray, depth: Depth, is_dis: bool, is_on: bool) -> None:
    """Push what leaves the struck nucleus when `hadron` is made inside it (specification 6).

    Without reinteraction (`is_on` false) the hadron leaves as it is, and no energy is lost.
    """
    kind = int(hadron[KIND])
    direction = (hadron[DIR_X], hadron[DIR_Y], hadron[DIR_Z])
    if not is_on:
        push(stack, depth, kind, HADRON, hadron[KINETIC], hadron, direction)
        return
    path = path_to_surface(s, hadron)
    t = hadron[KINETIC]
    mass = MASS[kind]
    if is_dis:
        path -= FORMATION_FM * math.sqrt(t * (t + 2.0 * mass)) / mass
    is_nucleon = kind in (PROTON, NEUTRON)
    if is_nucleon:
        t -= BINDING
        if t <= 0.0:
            return
    hadron[KINETIC] = t
    free = between(NUCLEUS_T, FREE_PATH_NUCLEON if is_nucleon else FREE_PATH_PION, t)
    if path > 0.0 and u01(s) > math.exp(-path / free):
        react(s, stack, depth, hadron, HADRON)
    else:
        push(stack, depth, kind, HADRON, t, hadron, direction)
