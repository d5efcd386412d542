"""The list of particles waiting to be followed: rows of a fixed array, last in, first out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.dataset.lartpc.jit import jit
from stages.dataset.lartpc.tables import FloatArray

#: [number of waiting particles, number dropped because the array was full].
Depth = npt.NDArray[np.int64]

#: Columns: kind, role, kinetic energy MeV, x, y, z cm, and the direction.
COLUMNS = 9
KIND, ROLE, KINETIC, POS_X, POS_Y, POS_Z, DIR_X, DIR_Y, DIR_Z = range(COLUMNS)

#: Largest number of waiting particles (specification 7.8; large events make about 3,000 in all).
CAPACITY = 8000
#: Largest number of particles leaving the struck nucleus.
PRIMARIES = 256

# Roles: a particle made on the way, the charged lepton, a hadron that left the struck nucleus.
SECONDARY, LEPTON, HADRON = 0, 1, 2


@jit
def push(
    stack: FloatArray,
    depth: Depth,
    kind: int,
    role: int,
    kinetic: float,
    x: float,
    y: float,
    z: float,
    dx: float,
    dy: float,
    dz: float,
) -> None:
    """Put a particle on the stack, or count it as dropped when the stack is full."""
    n = depth[0]
    if n >= stack.shape[0]:
        depth[1] += 1
        return
    row = stack[n]
    row[KIND] = kind
    row[ROLE] = role
    row[KINETIC] = kinetic
    row[POS_X] = x
    row[POS_Y] = y
    row[POS_Z] = z
    row[DIR_X] = dx
    row[DIR_Y] = dy
    row[DIR_Z] = dz
    depth[0] = n + 1
