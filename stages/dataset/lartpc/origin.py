"""What left the charge of a pixel: nothing, a track or a shower, by the one particle that left most of it.

Kept only where the array of charge has room for it, in planes behind those of the charge itself, so an event is the
same with and without it. Particles are followed one at a time, each to its end: what the current one left in a pixel is
a sum that starts anew whenever another particle gets there, and nothing more need be remembered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stages.dataset.lartpc.jit import jit
from stages.dataset.lartpc.stack import KIND, NUMBER, Particle
from stages.dataset.lartpc.tables import ELECTRON, PHOTON, POSITRON

if TYPE_CHECKING:
    from stages.dataset.lartpc.tables import FloatArray

VIEWS = 3
#: Planes of one view, in steps of `VIEWS`: charge (as ever), the last particle's number, what it left, the most that
#: one particle left, and what kind that one is.
LAST, LEFT, MOST, ORIGIN = VIEWS, 2 * VIEWS, 3 * VIEWS, 4 * VIEWS
PLANES = 5 * VIEWS

NONE, TRACK, SHOWER = 0, 1, 2
#: Names of the values of a mask, in their order.
ORIGINS = ("none", "track", "shower")


@jit
def origin_of(p: Particle) -> int:
    """Say what a particle draws: electrons, positrons and absorbed photons a shower, delta rays too; others a track."""
    return SHOWER if p[KIND] == ELECTRON or p[KIND] == POSITRON or p[KIND] == PHOTON else TRACK


@jit
def trace(charge: FloatArray, view: int, row: int, column: int, p: Particle, q: float) -> None:
    """Note that `p` left `q` more in a pixel; nothing where `charge` has no room for notes."""
    if charge.shape[0] < PLANES:
        return
    if charge[LAST + view, row, column] != p[NUMBER]:
        charge[LAST + view, row, column] = p[NUMBER]
        charge[LEFT + view, row, column] = 0.0
    charge[LEFT + view, row, column] += q
    if charge[LEFT + view, row, column] > charge[MOST + view, row, column]:
        charge[MOST + view, row, column] = charge[LEFT + view, row, column]
        charge[ORIGIN + view, row, column] = origin_of(p)


@jit
def forget(charge: FloatArray, view: int, row: int, column: int) -> None:
    """Note that a pixel reads zero: what noise puts there later has no particle."""
    if charge.shape[0] >= PLANES:
        charge[ORIGIN + view, row, column] = NONE


def mask(charge: FloatArray, image: npt.NDArray[np.uint8], view: int) -> npt.NDArray[np.uint8]:
    """Return the origin of each pixel of a view, [row, column]: 0 where the image shows nothing but noise."""
    return np.where(image[:, :, view] > 0, charge[ORIGIN + view], NONE).astype(np.uint8)
