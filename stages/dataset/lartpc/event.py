"""One whole event, from random numbers to an image and its true values, inside compiled code.

Specification, sections 5 to 8. The event depends on the state of the generator and the settings only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stages.dataset.lartpc.detector import ImageArray, add_noise_hits, digitise, make_frame, read_out
from stages.dataset.lartpc.jit import jit
from stages.dataset.lartpc.modes import interact
from stages.dataset.lartpc.neutrino import (
    CC_NUMU,
    DIS,
    E_LEP,
    LEP_X,
    LEP_Y,
    LEP_Z,
    NC,
    draw_energy,
    draw_mode,
)
from stages.dataset.lartpc.nucleus import leave_nucleus
from stages.dataset.lartpc.rng import State, u01
from stages.dataset.lartpc.stack import COLUMNS, KIND, LEPTON, POS_X, POS_Y, POS_Z, Depth, push
from stages.dataset.lartpc.tables import ELECTRON, MASS, MU_MINUS, PI_ZERO, FloatArray
from stages.dataset.lartpc.transport import transport

if TYPE_CHECKING:
    from stages.dataset.lartpc.config import Settings

# Places in the array of true values; the first KINEMATICS are those of `neutrino`.
E_NU, MODE, VX, VY, VZ, LEPTON_PATH, HADRON_PATH = 9, 10, 11, 12, 13, 14, 15
NPIX, CHARGE, REDRAWS, LEAVING, OVERFLOW = 16, 19, 22, 23, 24
TRUTH = 25

#: An event that needs more redraws than this has settings that no event can meet.
MOST_REDRAWS = 2000


@jit
def has_pi0(leaving: FloatArray, n: int) -> bool:
    """Tell whether a pi0 is among the first `n` particles."""
    for i in range(n):  # noqa: SIM110 - numba compiles no generator expressions
        if leaving[i, KIND] == PI_ZERO:
            return True
    return False


@jit
def make_primaries(
    s: State,
    label: int,
    settings: Settings,
    truth: FloatArray,
    hadrons: FloatArray,
    leaving: FloatArray,
    depth: Depth,
) -> int:
    """Draw an interaction; fill `truth` and `leaving`, return how many particles leave the nucleus."""
    inside = np.zeros(2, dtype=np.int64)
    while True:
        energy = draw_energy(s, label, settings.e_min, settings.e_max)
        mode = draw_mode(s, label, energy)
        if not interact(s, label, mode, energy, truth, hadrons, inside):
            continue
        depth[0] = 0
        for i in range(inside[0]):
            leave_nucleus(s, hadrons[i], leaving, depth, mode == DIS, settings.fsi == 1)
        if label != NC or settings.pi0_boost <= 1.0:
            break
        if has_pi0(leaving, depth[0]) or u01(s) * settings.pi0_boost <= 1.0:
            break
    truth[E_NU] = energy
    truth[MODE] = mode
    return int(depth[0])


@jit
def place_vertex(s: State, settings: Settings, truth: FloatArray) -> None:
    """Draw the vertex uniformly in the cube, `margin` cm away from its walls."""
    half = settings.half_cube - settings.margin
    truth[VX] = half * (2.0 * u01(s) - 1.0)
    truth[VY] = half * (2.0 * u01(s) - 1.0)
    truth[VZ] = half * (2.0 * u01(s) - 1.0)


@jit
def fill_stack(label: int, n: int, truth: FloatArray, leaving: FloatArray, stack: FloatArray, depth: Depth) -> None:
    """Move the particles leaving the nucleus, and the charged lepton, to the vertex on the stack."""
    depth[0] = 0
    vertex = np.zeros(COLUMNS)
    vertex[POS_X], vertex[POS_Y], vertex[POS_Z] = truth[VX], truth[VY], truth[VZ]
    for i in range(n):
        direction = (leaving[i, 6], leaving[i, 7], leaving[i, 8])
        push(stack, depth, int(leaving[i, 0]), int(leaving[i, 1]), leaving[i, 2], vertex, direction)
    if label != NC:
        kind = MU_MINUS if label == CC_NUMU else ELECTRON
        kinetic = truth[E_LEP] * 1e3 - MASS[kind]
        direction = (truth[LEP_X], truth[LEP_Y], truth[LEP_Z])
        push(stack, depth, kind, LEPTON, max(0.0, kinetic), vertex, direction)


@jit
def make_event(
    s: State,
    label: int,
    settings: Settings,
    stack: FloatArray,
    leaving: FloatArray,
    charge: FloatArray,
    image: ImageArray,
    truth: FloatArray,
) -> bool:
    """Make one event of class `label`; false when no draw had `min_pix` pixels in every view.

    `stack` and `charge` are work space, cleared here. `leaving` receives the particles that leave the
    nucleus, `truth` the true values, `image` the pixels.
    """
    depth = np.zeros(2, dtype=np.int64)
    hadrons = np.empty((16, COLUMNS))
    paths = np.zeros(2)
    for redraw in range(MOST_REDRAWS):
        depth[1] = 0
        n = make_primaries(s, label, settings, truth, hadrons, leaving, depth)
        place_vertex(s, settings, truth)
        fill_stack(label, n, truth, leaving, stack, depth)
        charge[:] = 0.0
        paths[:] = 0.0
        frame = make_frame(truth[VX], truth[VY], truth[VZ], settings)
        transport(s, stack, depth, charge, frame, settings, paths)
        read_out(s, charge, settings, truth[NPIX : NPIX + 3], truth[CHARGE : CHARGE + 3])
        if truth[NPIX : NPIX + 3].min() >= settings.min_pix:
            truth[REDRAWS] = redraw
            truth[LEAVING] = n
            truth[OVERFLOW] = depth[1]
            truth[LEPTON_PATH] = paths[0]
            truth[HADRON_PATH] = paths[1]
            add_noise_hits(s, charge, settings)
            digitise(charge, settings, image)
            return True
    return False
