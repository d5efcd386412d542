"""What muons and pions turn into, in flight and at rest, and the photons of an excited nucleus.

Specification, sections 7.2, 7.5 and 7.7. Energies in MeV.
"""

from __future__ import annotations

import math

from stages.dataset.lartpc.jit import jit
from stages.dataset.lartpc.nucleus import share
from stages.dataset.lartpc.rng import State, expo, isotropic, poisson, turn, u01
from stages.dataset.lartpc.stack import (
    DIR_X,
    DIR_Y,
    DIR_Z,
    KIND,
    KINETIC,
    SECONDARY,
    Depth,
    Particle,
    push,
)
from stages.dataset.lartpc.tables import (
    ELECTRON,
    M_E,
    M_MU,
    M_PI,
    M_PI0,
    MU_MINUS,
    MU_PLUS,
    PHOTON,
    PI_MINUS,
    PI_PLUS,
    POSITRON,
    FloatArray,
)

#: End point of the Michel spectrum, MeV.
MICHEL_END = 52.83
#: Share of stopped mu- that decay before capture: Suzuki et al., Phys. Rev. C 35 (1987) 2212.
MU_MINUS_DECAYS = 0.26
#: Share of pi0 that decay to a photon and an electron pair.
DALITZ = 0.0117


@jit
def push_deexcitation(s: State, stack: FloatArray, depth: Depth, p: Particle, mean: float) -> None:
    """Push Poisson(`mean`) isotropic photons of 0.8 + 1.6 x exponential MeV, at most 8 MeV."""
    for _ in range(poisson(s, mean)):
        energy = min(8.0, 0.8 + 1.6 * expo(s))
        push(stack, depth, PHOTON, SECONDARY, energy, p, isotropic(s))


@jit
def decay_pion(s: State, stack: FloatArray, depth: Depth, p: Particle) -> None:
    """Push the muon of a charged pion that decays in flight (two-body kinematics)."""
    rest_energy = (M_PI * M_PI + M_MU * M_MU) / (2.0 * M_PI)
    rest_momentum = (M_PI * M_PI - M_MU * M_MU) / (2.0 * M_PI)
    energy = p[KINETIC] + M_PI
    momentum = math.sqrt(p[KINETIC] * (p[KINETIC] + 2.0 * M_PI))
    x, y, z = isotropic(s)
    along = (energy * rest_momentum * z + momentum * rest_energy) / M_PI
    t = (energy * rest_energy + momentum * rest_momentum * z) / M_PI - M_MU
    x *= rest_momentum
    y *= rest_momentum
    length = math.sqrt(x * x + y * y + along * along)
    direction = turn(x / length, y / length, along / length, p[DIR_X], p[DIR_Y], p[DIR_Z])
    kind = MU_PLUS if p[KIND] == PI_PLUS else MU_MINUS
    push(stack, depth, kind, SECONDARY, max(t, 0.0), p, direction)


@jit
def decay_pi0(s: State, stack: FloatArray, depth: Depth, p: Particle) -> None:
    """Push two photons, or a photon and an electron pair, for a neutral pion."""
    energy = p[KINETIC] + M_PI0
    momentum = math.sqrt(p[KINETIC] * (p[KINETIC] + 2.0 * M_PI0))
    cosine = 2.0 * u01(s) - 1.0
    phi = 2.0 * math.pi * u01(s)
    across = 0.5 * M_PI0 * math.sqrt(max(0.0, 1.0 - cosine * cosine))
    is_dalitz = u01(s) < DALITZ
    for side in (1.0, -1.0):
        along = 0.5 * (momentum + side * energy * cosine)
        photon = 0.5 * (energy + side * momentum * cosine)
        x = side * across * math.cos(phi) / photon
        y = side * across * math.sin(phi) / photon
        direction = turn(x, y, along / photon, p[DIR_X], p[DIR_Y], p[DIR_Z])
        if is_dalitz and side > 0.0 and photon > 2.0 * M_E:
            kinetic = photon - 2.0 * M_E
            part = u01(s) * kinetic
            push(stack, depth, ELECTRON, SECONDARY, part, p, direction)
            push(stack, depth, POSITRON, SECONDARY, kinetic - part, p, direction)
        else:
            push(stack, depth, PHOTON, SECONDARY, photon, p, direction)


@jit
def push_michel(s: State, stack: FloatArray, depth: Depth, p: Particle, kind: int) -> None:
    """Push an electron of the Michel spectrum x^2 (3 - 2x)."""
    while True:
        x = u01(s)
        if u01(s) <= x * x * (3.0 - 2.0 * x):
            break
    push(stack, depth, kind, SECONDARY, max(0.0, x * MICHEL_END - M_E), p, isotropic(s))


@jit
def end_at_rest(s: State, stack: FloatArray, depth: Depth, p: Particle) -> None:
    """Push what a stopped muon or pion turns into."""
    kind = int(p[KIND])
    if kind == MU_PLUS:
        push_michel(s, stack, depth, p, POSITRON)
    elif kind == MU_MINUS:
        if u01(s) < MU_MINUS_DECAYS:
            push_michel(s, stack, depth, p, ELECTRON)
            return
        share(s, stack, depth, p, SECONDARY, 1, 2.0 + 6.0 * expo(s), 0.10, 0.0)
        push_deexcitation(s, stack, depth, p, 2.0)
    elif kind == PI_PLUS:
        push(stack, depth, MU_PLUS, SECONDARY, 4.12, p, isotropic(s))
    elif kind == PI_MINUS:
        n = 3 + poisson(s, 1.0)
        share(s, stack, depth, p, SECONDARY, n, 75.0 + 20.0 * u01(s), 0.20, 0.0)
        push_deexcitation(s, stack, depth, p, 1.5)
