"""Hadrons in argon nuclei: leaving the struck nucleus, and reacting with a nucleus in flight.

Specification, sections 6 and 7.5: one step in the spirit of GENIE's hA model (GENIE, Nucl. Instrum.
Meth. A 614 (2010) 87). The sharing of energy is invented; only rates follow data.
"""

from __future__ import annotations

import math

from stages.dataset.lartpc.jit import jit
from stages.dataset.lartpc.rng import State, expo, forward, isotropic, poisson, u01
from stages.dataset.lartpc.stack import (
    DIR_X, DIR_Y, DIR_Z, HADRON, KIND, KINETIC, Depth, push,
)
from stages.dataset.lartpc.tables import (
    FREE_PATH_NUCLEON, FREE_PATH_PION, HADRON_T, M_PI, MASS, NEUTRON, NUCLEUS_T, PHOTON, PI_MINUS,
    PI_PLUS, PI_ZERO, PION_ABSORBED, PROTON, FloatArray, between,
)

#: 1.25 fm x A^(1/3).
RADIUS_FM = 4.27
#: Formation length per p/m, fm (0.342 fm/c, as in GENIE).
FORMATION_FM = 0.342
#: Energy that a nucleon loses on leaving the nucleus, MeV.
BINDING = 8.0


@jit
def share(
    s: State, stack: FloatArray, depth: Depth, role: int, n: int, energy: float, protons: float,
    k: float, x: float, y: float, z: float, dx: float, dy: float, dz: float,
) -> None:
    """Push `n` nucleons sharing `energy` MeV by exponential weights, directed as exp(k cos).

    A nucleon is a proton with probability `protons`; those below 1 MeV are dropped.
    """
    if energy <= 1.0:
        return
    # Spacings of ordered numbers would need a buffer: draw the weights twice from a copied state.
    copy = s.copy()
    total = 0.0
    for _ in range(n):
        total += expo(copy)
    weights = energy / total
    first = depth[0]
    for _ in range(n):
        push(stack, depth, NEUTRON, role, weights * expo(s), x, y, z, dx, dy, dz)
    _ = first
