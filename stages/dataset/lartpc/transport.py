"""Follow muons, pions, protons and neutrons through liquid argon, and everything they make.

Specification, sections 7.2 and 7.5 to 7.8. Not included: kaons, nuclear recoils, neutrons below
2 MeV and their capture, muon bremsstrahlung and pair production.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stages.dataset.lartpc.decay import decay_pi0, decay_pion, end_at_rest, push_deexcitation
from stages.dataset.lartpc.detector import STOP_HEAVY, Frame, deposit, is_outside
from stages.dataset.lartpc.jit import jit
from stages.dataset.lartpc.nucleus import react
from stages.dataset.lartpc.rng import State, expo, isotropic, u01
from stages.dataset.lartpc.shower import fluctuate, track_electron, track_photon
from stages.dataset.lartpc.stack import (
    COLUMNS,
    HADRON,
    KIND,
    KINETIC,
    LEPTON,
    NUMBER,
    ROLE,
    SECONDARY,
    Depth,
    Particle,
    advance,
    forward,
    push,
    scatter,
    set_direction,
    tilted,
)
from stages.dataset.lartpc.tables import (
    ELECTRON,
    HADRON_T,
    M_E,
    MASS,
    NEUTRON,
    NUCLEI,
    NUCLEON_REACTION,
    PHOTON,
    PI_MINUS,
    PI_PLUS,
    PI_ZERO,
    PION_REACTION,
    POSITRON,
    PROTON,
    ROW_MUON,
    ROW_PION,
    ROW_PROTON,
    X0,
    XI,
    FloatArray,
    between,
    loss_at,
    range_at,
)

if TYPE_CHECKING:
    from stages.dataset.lartpc.config import Settings

#: Delta rays above this kinetic energy, MeV, are followed as electrons.
DELTA_CUT = 1.5
#: Elastic (diffractive) cross sections, barn: charged hadrons, fast neutrons, slow neutrons.
ELASTIC, NEUTRON_ELASTIC, SLOW_ELASTIC, SLOW_INELASTIC = 0.25, 0.5, 1.6, 0.8
#: Rayleigh scale of the transverse kick of diffractive scattering, MeV/c.
KICK = 60.0
#: c tau of the charged pion, cm.
PION_CTAU = 780.4


@jit
def push_delta(s: State, stack: FloatArray, depth: Depth, p: Particle, t_max: float, mass: float) -> float:
    """Push one delta ray with spectrum (1 - b2 T/T_max) / T^2; return its kinetic energy, MeV."""
    energy = p[KINETIC] + mass
    momentum = math.sqrt(p[KINETIC] * (p[KINETIC] + 2.0 * mass))
    beta2 = (momentum / energy) ** 2
    while True:
        t = DELTA_CUT * t_max / (t_max - u01(s) * (t_max - DELTA_CUT))
        if u01(s) <= 1.0 - beta2 * t / t_max:
            break
    cosine = t / math.sqrt(t * (t + 2.0 * M_E)) * (energy + M_E) / momentum
    push(stack, depth, ELECTRON, SECONDARY, t, p, tilted(s, p, min(1.0, cosine)))
    return t


@jit
def track_heavy(
    s: State,
    p: Particle,
    stack: FloatArray,
    depth: Depth,
    charge: FloatArray,
    frame: Frame,
    settings: Settings,
) -> float:
    """Follow a muon, charged pion or proton until it stops, reacts or leaves; return its path, cm."""
    kind = int(p[KIND])
    mass = MASS[kind]
    is_pion = kind in (PI_PLUS, PI_MINUS)
    is_hadron = is_pion or kind == PROTON
    row = ROW_PROTON if kind == PROTON else (ROW_PION if is_pion else ROW_MUON)
    path = 0.0
    while True:
        if is_outside(p, frame, settings):
            return path
        t = p[KINETIC]
        left = range_at(row, t) if t > 0.05 else 0.0
        if left < 0.03 or t < 0.3:
            break
        ds = min(settings.step, max(0.02, 0.3 * left))
        energy = t + mass
        momentum2 = t * (t + 2.0 * mass)
        beta2 = momentum2 / (energy * energy)
        t_max = 2.0 * M_E * momentum2 / (mass * mass + 2.0 * energy * M_E + M_E * M_E)
        mean = loss_at(row, max(0.05, t - 0.5 * loss_at(row, t) * ds)) * ds
        xi = XI / beta2
        delta_rate = 0.0
        if t_max > DELTA_CUT:
            log = math.log(t_max / DELTA_CUT)
            delta_rate = xi * (1.0 / DELTA_CUT - 1.0 / t_max - beta2 / t_max * log)
            hard = xi * (log - beta2 * (1.0 - DELTA_CUT / t_max))
            mean = max(0.2 * ds, mean - hard * ds)
        variance = xi * ds * min(DELTA_CUT, t_max) * (1.0 - 0.5 * beta2)
        loss = min(t, fluctuate(s, mean, variance))
        advance(p, 0.5 * ds)
        deposit(s, charge, frame, settings, p, loss, loss / ds)
        advance(p, 0.5 * ds)
        path += ds
        if delta_rate > 0.0 and u01(s) < delta_rate * ds:
            loss += push_delta(s, stack, depth, p, t_max, mass)
        p[KINETIC] = max(0.0, t - loss)
        scatter(s, p, 13.6 * energy / momentum2 * math.sqrt(ds / X0))
        if is_hadron:
            table = PION_REACTION if is_pion else NUCLEON_REACTION
            reaction = NUCLEI * between(HADRON_T, table, t) * ds
            u = u01(s)
            if u < reaction:
                react(s, stack, depth, p, SECONDARY)
                push_deexcitation(s, stack, depth, p, 1.5)
                return path
            if u < reaction + NUCLEI * ELASTIC * ds:
                kick = KICK * math.sqrt(-2.0 * math.log(u01(s))) / math.sqrt(momentum2)
                set_direction(p, tilted(s, p, math.sqrt(1.0 - min(1.0, kick) ** 2)))
            if is_pion and u01(s) < ds * mass / (math.sqrt(momentum2) * PION_CTAU):
                decay_pion(s, stack, depth, p)
                return path
    if p[KINETIC] > 0.0:
        deposit(s, charge, frame, settings, p, p[KINETIC], STOP_HEAVY)
    end_at_rest(s, stack, depth, p)
    return path


@jit
def track_neutron(s: State, p: Particle, stack: FloatArray, depth: Depth, frame: Frame, settings: Settings) -> None:
    """Follow a neutron along straight flights until it reacts, leaves or falls below 2 MeV."""
    while p[KINETIC] >= 2.0:
        t = p[KINETIC]
        is_fast = t > 20.0
        inelastic = between(HADRON_T, NUCLEON_REACTION, t) if is_fast else SLOW_INELASTIC
        elastic = NEUTRON_ELASTIC if is_fast else SLOW_ELASTIC
        advance(p, expo(s) / (NUCLEI * (inelastic + elastic)))
        if is_outside(p, frame, settings):
            return
        is_elastic = u01(s) * (inelastic + elastic) < elastic
        if is_elastic:
            set_direction(p, forward(s, p, 8.0 + t / 10.0 if is_fast else 1.0))
            if not is_fast:
                p[KINETIC] = 0.975 * t
        elif is_fast:
            react(s, stack, depth, p, SECONDARY)
            push_deexcitation(s, stack, depth, p, 1.5)
            return
        else:
            energy = min(t - 0.2, 1.46 + 0.9 * expo(s))
            push(stack, depth, PHOTON, SECONDARY, energy, p, isotropic(s))
            p[KINETIC] = t - energy
            set_direction(p, isotropic(s))


@jit
def transport(
    s: State,
    stack: FloatArray,
    depth: Depth,
    charge: FloatArray,
    frame: Frame,
    settings: Settings,
    paths: FloatArray,
) -> None:
    """Follow every particle on the stack, each to its end, and add its charge, MIP, to `charge`[view, row, column].

    `paths` receives the path of the primary lepton and the longest path of a primary charged hadron, cm.
    """
    p = stack[0].copy()
    followed = 0
    while depth[0] > 0:
        depth[0] -= 1
        for column in range(COLUMNS):
            p[column] = stack[depth[0], column]
        followed += 1
        p[NUMBER] = followed
        kind = int(p[KIND])
        if kind in (ELECTRON, POSITRON):
            track_electron(s, p, stack, depth, charge, frame, settings)
        elif kind == PHOTON:
            track_photon(s, p, stack, depth, charge, frame, settings)
        elif kind == NEUTRON:
            track_neutron(s, p, stack, depth, frame, settings)
        elif kind == PI_ZERO:
            decay_pi0(s, stack, depth, p)
        else:
            role = int(p[ROLE])
            path = track_heavy(s, p, stack, depth, charge, frame, settings)
            if role == LEPTON:
                paths[0] += path
            elif role == HADRON:
                paths[1] = max(paths[1], path)
