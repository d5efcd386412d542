"""From a deposit of energy to charge in three views, and from charge to an 8-bit image.

Specification, sections 4 and 8. Charge is in MIP: what a minimum-ionising particle leaves over 1 cm.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from stages.dataset.lartpc.jit import jit
from stages.dataset.lartpc.origin import VIEWS, forget, trace
from stages.dataset.lartpc.rng import State, expo, gauss, poisson, u01
from stages.dataset.lartpc.stack import POS_X, POS_Y, POS_Z, Particle
from stages.dataset.lartpc.tables import DENSITY, FloatArray

if TYPE_CHECKING:
    from stages.dataset.lartpc.config import Settings

ImageArray = npt.NDArray[np.uint8]

#: Wires stand at +35.9, -35.9 and 0 degrees to the vertical.
COS_WIRE = math.cos(math.radians(35.9))
SIN_WIRE = math.sin(math.radians(35.9))
#: A particle this far from the vertex, cm, is out of view (specification 7.8).
REACH = 118.0
DRIFT_CM_PER_US = 0.16
FIELD_KV_PER_CM = 0.5
#: Charge of a minimum-ionising track, in recombined MeV/cm: 2.105 MeV/cm x R(2.105).
MIP = 1.4838
#: Ionisation density assumed where a particle stops, MeV/cm.
STOP_ELECTRON, STOP_HEAVY = 5.0, 25.0


class Frame(NamedTuple):
    """Where the vertex is, and which pixel of the detector's fixed grid it falls in."""

    x0: float
    y0: float
    z0: float
    row0: int
    u0: int
    v0: int
    w0: int


@jit
def make_frame(x0: float, y0: float, z0: float, settings: Settings) -> Frame:
    """Return the frame whose pixel (size // 2, size // 2) holds the vertex in every view."""
    half = settings.size // 2
    pitch = settings.pitch
    zc = z0 * COS_WIRE
    ys = y0 * SIN_WIRE
    return Frame(
        x0,
        y0,
        z0,
        math.floor(x0 / pitch) - half,
        math.floor((zc - ys) / pitch) - half,
        math.floor((zc + ys) / pitch) - half,
        math.floor(z0 / pitch) - half,
    )


@jit
def is_outside(p: Particle, frame: Frame, settings: Settings) -> bool:
    """Tell whether `p` has left the cube or is beyond reach of the image in every view."""
    half = settings.half_cube
    x, y, z = p[POS_X], p[POS_Y], p[POS_Z]
    if abs(x) > half or abs(y) > half or abs(z) > half or abs(x - frame.x0) > REACH:
        return True
    dz = z - frame.z0
    if abs(dz) <= REACH:
        return False
    zc = dz * COS_WIRE
    ys = (y - frame.y0) * SIN_WIRE
    return bool(abs(zc - ys) > REACH and abs(zc + ys) > REACH)


@jit
def recombination(density: float) -> float:
    """Return the share of charge that escapes recombination at `density` MeV/cm.

    Modified box model with the parameters of ArgoNeuT, JINST 8 (2013) P08005, 0.93 and 0.212.
    """
    xi = max(0.05, 0.212 * density / (DENSITY * FIELD_KV_PER_CM))
    # The form turns negative below 0.23 MeV/cm, outside its domain; charge cannot.
    return max(0.0, math.log(0.93 + xi) / xi)


@jit
def deposit(
    s: State,
    charge: FloatArray,
    frame: Frame,
    settings: Settings,
    p: Particle,
    energy: float,
    density: float,
) -> None:
    """Add the charge of `energy` MeV left where `p` is to the one pixel per view it drifts to.

    `density` is the ionisation density of the step, MeV/cm, which sets recombination.

    The charge moves as one point: with steps of 0.25 cm a finer spread changes nothing visible,
    and weights between pixels would make every track two pixels wide.
    """
    x, y, z = p[POS_X], p[POS_Y], p[POS_Z]
    drift_us = max(0.0, x + settings.half_cube) / DRIFT_CM_PER_US
    smear2 = settings.smear * settings.smear
    along = math.sqrt(2e-6 * settings.diff_l * drift_us + smear2)
    across = math.sqrt(2e-6 * settings.diff_t * drift_us + smear2)
    pitch = settings.pitch
    size = settings.size
    row = math.floor((x + along * gauss(s)) / pitch) - frame.row0
    y += across * gauss(s)
    z += across * gauss(s)
    if row < 0 or row >= size:
        return
    q = energy * recombination(density) / MIP
    zc = z * COS_WIRE
    ys = y * SIN_WIRE
    column = math.floor((zc - ys) / pitch) - frame.u0
    if 0 <= column < size:
        charge[0, row, column] += q
        trace(charge, 0, row, column, p, q)
    column = math.floor((zc + ys) / pitch) - frame.v0
    if 0 <= column < size:
        charge[1, row, column] += q
        trace(charge, 1, row, column, p, q)
    column = math.floor(z / pitch) - frame.w0
    if 0 <= column < size:
        charge[2, row, column] += q
        trace(charge, 2, row, column, p, q)


@jit
def read_out(s: State, charge: FloatArray, settings: Settings, npix: FloatArray, total: FloatArray) -> None:
    """Apply noise and threshold to `charge` in place; count pixels and sum charge (MIP) by view.

    Charge per pixel is divided by the pitch (cm), so that threshold and noise mean the same at
    every image size. Random noise pixels come later: see `add_noise_hits`.
    """
    pitch = settings.pitch
    for view in range(VIEWS):
        count = 0
        summed = 0.0
        for row in range(settings.size):
            for column in range(settings.size):
                q = charge[view, row, column]
                if q > 0.0:
                    q = q / pitch + settings.noise * gauss(s)
                    if q < settings.thr:
                        q = 0.0
                        forget(charge, view, row, column)
                    else:
                        count += 1
                        summed += q * pitch
                    charge[view, row, column] = q
        npix[view] = count
        total[view] = summed


@jit
def add_noise_hits(s: State, charge: FloatArray, settings: Settings) -> None:
    """Add thr + noise x exponential to a Poisson number of random pixels of each view."""
    size = settings.size
    for view in range(3):
        for _ in range(poisson(s, settings.noise_hits)):
            row = min(size - 1, int(u01(s) * size))
            column = min(size - 1, int(u01(s) * size))
            charge[view, row, column] += settings.thr + settings.noise * expo(s)


@jit
def digitise(charge: FloatArray, settings: Settings, image: ImageArray) -> None:
    """Write min(255, floor(gain x charge + 0.5)) to image[row, column, view]."""
    for row in range(settings.size):
        for column in range(settings.size):
            for view in range(3):
                q = charge[view, row, column]
                value = 0
                if q > 0.0:
                    value = min(255, math.floor(settings.gain * q + 0.5))
                image[row, column, view] = value
