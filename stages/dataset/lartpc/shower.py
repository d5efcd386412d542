"""Electrons and photons, followed one by one through liquid argon (specification 7.3).

Not included: the LPM effect, annihilation in flight, triplet production, delta rays of electrons,
and the large-angle tail of multiple scattering.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stages.dataset.lartpc.detector import STOP_ELECTRON, Frame, deposit, is_outside
from stages.dataset.lartpc.jit import jit
from stages.dataset.lartpc.rng import State, expo, gauss, isotropic, u01
from stages.dataset.lartpc.stack import (
    DIR_X,
    DIR_Y,
    DIR_Z,
    KIND,
    KINETIC,
    SECONDARY,
    Depth,
    Particle,
    advance,
    push,
    scatter,
    set_direction,
    tilted,
)
from stages.dataset.lartpc.tables import (
    ELECTRON,
    M_E,
    PHOTON,
    POSITRON,
    ROW_ELECTRON,
    X0,
    XI,
    FloatArray,
    loss_at,
    photon_rates,
)

if TYPE_CHECKING:
    from stages.dataset.lartpc.config import Settings

#: Photons above this energy, MeV, are made one by one; softer ones are a steady loss.
HARD_PHOTON = 0.6
SOFT_LOSS = 4.0 / 3.0 * HARD_PHOTON / X0
#: Electrons stop below this kinetic energy, photons are absorbed below this energy, MeV.
STOP_ELECTRON_T, STOP_PHOTON = 0.15, 0.08
#: Fluctuation scale of electrons: a cut of 1.5 MeV as for heavy particles, times 0.7.
ELECTRON_VARIANCE = XI * 1.5 * 0.7


@jit
def fluctuate(s: State, mean: float, variance: float) -> float:
    """Return a log-normal energy loss, MeV, of this mean and variance."""
    width2 = math.log(1.0 + variance / (mean * mean))
    return mean * math.exp(math.sqrt(width2) * gauss(s) - 0.5 * width2)


@jit
def radiate(s: State, stack: FloatArray, depth: Depth, p: Particle, distance: float) -> None:
    """Let an electron emit at most one hard photon on `distance` cm; its energy is taken off `p`."""
    t = p[KINETIC]
    if t <= HARD_PHOTON:
        return
    energy = t + M_E
    cut = HARD_PHOTON / energy
    log_cut = -math.log(cut)
    rate = (4.0 / 3.0 * (log_cut - 1.0 + cut) + 0.5 * (1.0 - cut * cut)) / X0
    if u01(s) >= rate * distance:
        return
    while True:
        y = cut * math.exp(log_cut * u01(s))
        if u01(s) * (4.0 / 3.0) <= 4.0 / 3.0 * (1.0 - y) + y * y and y * energy <= t:
            break
    angle = M_E / energy * math.sqrt(expo(s))
    push(stack, depth, PHOTON, SECONDARY, y * energy, p, tilted(s, p, math.cos(angle)))
    p[KINETIC] = t - y * energy


@jit
def annihilate(s: State, stack: FloatArray, depth: Depth, p: Particle) -> None:
    """Push the two photons of a positron at rest, back to back."""
    x, y, z = isotropic(s)
    push(stack, depth, PHOTON, SECONDARY, M_E, p, (x, y, z))
    push(stack, depth, PHOTON, SECONDARY, M_E, p, (-x, -y, -z))


@jit
def track_electron(
    s: State,
    p: Particle,
    stack: FloatArray,
    depth: Depth,
    charge: FloatArray,
    frame: Frame,
    settings: Settings,
) -> None:
    """Follow an electron or positron until it stops or leaves."""
    while p[KINETIC] >= STOP_ELECTRON_T:
        if is_outside(p, frame, settings):
            return
        t = p[KINETIC]
        ds = settings.step
        if t < 4.0:
            ds = min(ds, 0.08 + 0.04 * t)
        energy = t + M_E
        momentum2 = t * (t + 2.0 * M_E)
        first = loss_at(ROW_ELECTRON, t) + SOFT_LOSS
        mean = (loss_at(ROW_ELECTRON, max(0.05, t - 0.5 * first * ds)) + SOFT_LOSS) * ds
        variance = ELECTRON_VARIANCE * energy * energy / momentum2 * ds
        loss = min(t, fluctuate(s, mean, variance))
        advance(p, 0.5 * ds)
        deposit(s, charge, frame, settings, p, loss, loss / ds)
        advance(p, 0.5 * ds)
        p[KINETIC] = t - loss
        radiate(s, stack, depth, p, ds)
        scatter(s, p, 13.6 * energy / momentum2 * math.sqrt(ds / X0))
    if is_outside(p, frame, settings):
        return
    if p[KINETIC] > 0.0:
        deposit(s, charge, frame, settings, p, p[KINETIC], STOP_ELECTRON)
    if p[KIND] == POSITRON:
        annihilate(s, stack, depth, p)


@jit
def push_pair(s: State, stack: FloatArray, depth: Depth, p: Particle) -> None:
    """Push an electron and a positron that share the energy of photon `p` uniformly."""
    kinetic = p[KINETIC] - 2.0 * M_E
    first = u01(s) * kinetic
    for kind, t in ((ELECTRON, first), (POSITRON, kinetic - first)):
        angle = min(math.pi, M_E / (t + M_E) * math.sqrt(expo(s)))
        push(stack, depth, kind, SECONDARY, t, p, tilted(s, p, math.cos(angle)))


@jit
def compton(s: State, stack: FloatArray, depth: Depth, p: Particle) -> None:
    """Scatter photon `p` by the exact Klein-Nishina distribution and push the electron."""
    energy = p[KINETIC]
    k = energy / M_E
    lowest = 1.0 / (1.0 + 2.0 * k)
    part_log = -math.log(lowest)
    part_linear = 0.5 * (1.0 - lowest * lowest)
    while True:
        if u01(s) * (part_log + part_linear) < part_log:
            share = math.exp(-part_log * u01(s))
        else:
            share = math.sqrt(lowest * lowest + (1.0 - lowest * lowest) * u01(s))
        versine = (1.0 - share) / (k * share)
        sine2 = versine * (2.0 - versine)
        if u01(s) <= 1.0 - share * sine2 / (1.0 + share * share):
            break
    after = share * energy
    new = tilted(s, p, 1.0 - versine)
    # Momentum conservation gives the direction of the electron.
    x = energy * p[DIR_X] - after * new[0]
    y = energy * p[DIR_Y] - after * new[1]
    z = energy * p[DIR_Z] - after * new[2]
    length = math.sqrt(x * x + y * y + z * z)
    if length > 0.0 and energy > after:
        push(stack, depth, ELECTRON, SECONDARY, energy - after, p, (x / length, y / length, z / length))
    p[KINETIC] = after
    set_direction(p, new)


@jit
def track_photon(
    s: State,
    p: Particle,
    stack: FloatArray,
    depth: Depth,
    charge: FloatArray,
    frame: Frame,
    settings: Settings,
) -> None:
    """Follow a photon until it is absorbed or leaves."""
    while p[KINETIC] >= STOP_PHOTON:
        by_compton, by_pair, by_photo = photon_rates(p[KINETIC])
        total = by_compton + by_pair + by_photo
        advance(p, expo(s) / total)
        if is_outside(p, frame, settings):
            return
        u = u01(s) * total
        if u < by_pair:
            push_pair(s, stack, depth, p)
            return
        if u >= by_pair + by_compton:
            push(stack, depth, ELECTRON, SECONDARY, p[KINETIC], p, (p[DIR_X], p[DIR_Y], p[DIR_Z]))
            return
        compton(s, stack, depth, p)
    deposit(s, charge, frame, settings, p, p[KINETIC], STOP_ELECTRON)
