"""Particles as rows of numbers, and the stack of those waiting to be followed: last in, first out."""

from __future__ import annotations

import math
from typing import Tuple

import numpy as np
import numpy.typing as npt

from stages.dataset.lartpc.jit import jit
from stages.dataset.lartpc.rng import State, turn, u01
from stages.dataset.lartpc.tables import FloatArray

#: One particle: kind, role, kinetic energy in MeV, position in cm, unit direction, and its number in the order in
#: which particles are followed, from 1, once that is known.
Particle = FloatArray
#: [number of waiting particles, number dropped because the array was full].
Depth = npt.NDArray[np.int64]

COLUMNS = 10
KIND, ROLE, KINETIC, POS_X, POS_Y, POS_Z, DIR_X, DIR_Y, DIR_Z, NUMBER = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9

#: Most particles waiting at once (specification 7.8; large events make about 3,000 in all).
CAPACITY = 8000
#: Most particles leaving the struck nucleus; DIS makes at most 9 hadrons, each at most about 20.
PRIMARIES = 512

# Roles: a particle made on the way, the charged lepton, a hadron that left the struck nucleus.
SECONDARY, LEPTON, HADRON = 0, 1, 2


@jit
def push(
    stack: FloatArray,
    depth: Depth,
    kind: int,
    role: int,
    kinetic: float,
    origin: Particle,
    direction: Tuple[float, float, float],
) -> None:
    """Put a particle on the stack at the position of `origin`, or count it as dropped."""
    n = depth[0]
    if n >= stack.shape[0]:
        depth[1] += 1
        return
    stack[n, KIND] = kind
    stack[n, ROLE] = role
    stack[n, KINETIC] = kinetic
    stack[n, POS_X] = origin[POS_X]
    stack[n, POS_Y] = origin[POS_Y]
    stack[n, POS_Z] = origin[POS_Z]
    stack[n, DIR_X] = direction[0]
    stack[n, DIR_Y] = direction[1]
    stack[n, DIR_Z] = direction[2]
    stack[n, NUMBER] = 0.0
    depth[0] = n + 1


@jit
def advance(p: Particle, distance: float) -> None:
    """Move `p` by `distance` cm along its direction."""
    p[POS_X] += distance * p[DIR_X]
    p[POS_Y] += distance * p[DIR_Y]
    p[POS_Z] += distance * p[DIR_Z]


@jit
def tilted(s: State, p: Particle, cosine: float) -> Tuple[float, float, float]:
    """Return the direction at polar angle acos(`cosine`), random azimuth, around that of `p`."""
    sine = math.sqrt(max(0.0, 1.0 - cosine * cosine))
    phi = 2.0 * math.pi * u01(s)
    return turn(sine * math.cos(phi), sine * math.sin(phi), cosine, p[DIR_X], p[DIR_Y], p[DIR_Z])


@jit
def forward(s: State, p: Particle, k: float) -> Tuple[float, float, float]:
    """Return a direction with density exp(k cos) around that of `p`; k = 0 is isotropic."""
    u = u01(s)
    cosine = 2.0 * u - 1.0
    if k > 1e-3:
        cosine = 1.0 + math.log(u + (1.0 - u) * math.exp(-2.0 * k)) / k
    return tilted(s, p, max(-1.0, min(1.0, cosine)))


@jit
def set_direction(p: Particle, direction: Tuple[float, float, float]) -> None:
    """Give `p` a new unit direction."""
    p[DIR_X] = direction[0]
    p[DIR_Y] = direction[1]
    p[DIR_Z] = direction[2]


@jit
def scatter(s: State, p: Particle, plane_angle: float) -> None:
    """Deflect `p` by two independent plane angles of standard deviation `plane_angle` radians.

    Two Gaussian plane angles are one Rayleigh angle at a uniform azimuth, at half the cost.
    """
    angle = plane_angle * math.sqrt(-2.0 * math.log(u01(s)))
    set_direction(p, tilted(s, p, math.cos(angle)))
