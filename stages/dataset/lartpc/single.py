"""Fire single particles through unlimited argon, to compare their tracks and showers with known physics.

Specification, section 10.2: along +z from 100 cm upstream of the image centre, without diffusion and
noise; charge in the w view. Used by `check` and the tests, never by the generator.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, List

import numpy as np

from stages.dataset.lartpc.config import Config, Settings
from stages.dataset.lartpc.detector import make_frame
from stages.dataset.lartpc.jit import jit
from stages.dataset.lartpc.rng import State, event_state
from stages.dataset.lartpc.stack import CAPACITY, COLUMNS, LEPTON, push
from stages.dataset.lartpc.tables import X0, FloatArray
from stages.dataset.lartpc.transport import transport

#: Where particles start, cm before the centre of the image.
UPSTREAM = 100
#: A pixel counts when it holds this charge, MIP.
SEEN = 0.25
#: The gap before a photon's shower ends in the first column with this charge, MIP.
FAINT = 0.15

IDEAL = Config(noise=0.0, noise_hits=0.0, diff_t=0.0, diff_l=0.0, margin=0.0, half_cube=1e6)


@dataclasses.dataclass(frozen=True)
class Shots:
    """What many equal particles left behind; one entry per particle."""

    #: Path of the particle itself, cm.
    path: FloatArray
    #: Charge in the w view, MIP.
    charge: FloatArray
    #: Pixels of the w view with at least SEEN.
    pixels: FloatArray
    #: Charge by column of the w view, MIP; the particle starts in column 12.
    columns: FloatArray
    #: Charge by row of the w view, MIP; the particle starts in row 112.
    rows: FloatArray


@jit
def _fire(
    s: State, kind: int, kinetic: float, settings: Settings, stack: FloatArray, charge: FloatArray, paths: FloatArray
) -> None:
    """Follow one particle and what it makes; `paths` as in `transport`."""
    depth = np.zeros(2, dtype=np.int64)
    start = np.zeros(COLUMNS)
    # The middle of a pixel across the flight, so that a straight track fills one row.
    start[3], start[4], start[5] = 0.5, 0.5, 0.5 - UPSTREAM
    charge[:] = 0.0
    paths[:] = 0.0
    push(stack, depth, kind, LEPTON, kinetic, start, (0.0, 0.0, 1.0))
    transport(s, stack, depth, charge, make_frame(0.5, 0.5, 0.5, settings), settings, paths)


def fire(kind: int, kinetic_mev: float, shots: int, config: Config = IDEAL) -> Shots:
    """Fire `shots` particles of one kind and kinetic energy."""
    settings = config.settings()
    stack = np.empty((CAPACITY, COLUMNS))
    charge = np.empty((3, config.size, config.size))
    paths = np.zeros(2)
    seen: Dict[str, List[FloatArray]] = {field.name: [] for field in dataclasses.fields(Shots)}
    for shot in range(shots):
        s = event_state(10 * int(kinetic_mev) + kind, "calib", shot)
        _fire(s, kind, float(kinetic_mev), settings, stack, charge, paths)
        w = charge[2]
        values = (paths[0], w.sum(), np.count_nonzero(w >= SEEN), w.sum(axis=0), w.sum(axis=1))
        for name, value in zip(seen, values):
            seen[name].append(np.asarray(value, dtype=np.float64))
    return Shots(**{name: np.stack(values) for name, values in seen.items()})


def profile(shots: Shots) -> Dict[str, float]:
    """Return the mean longitudinal and lateral shape of a shower, and its size.

    a and b are those of Longo and Sestili, Nucl. Instrum. Meth. 128 (1975) 283, from the moments of
    the profile; depths in radiation lengths (`depth_x0`) and cm.
    """
    first = shots.columns.shape[1] // 2 - UPSTREAM
    along = shots.columns[:, first:].sum(axis=0)
    depth = np.arange(along.size) + 0.5
    mean = float(np.average(depth, weights=along)) / X0
    variance = float(np.average((depth / X0 - mean) ** 2, weights=along))
    cumulated = np.cumsum(along) / along.sum()
    across = shots.rows.sum(axis=0)
    middle = across.size // 2
    gap = np.argmax(shots.columns[:, first:] >= FAINT, axis=1)
    return {
        "depth_x0": mean,
        "a": mean * mean / variance,
        "b": mean / variance,
        "depth_50_cm": float(np.interp(0.5, cumulated, depth + 0.5)),
        "depth_90_cm": float(np.interp(0.9, cumulated, depth + 0.5)),
        "inside_2_cm": float(across[middle - 2 : middle + 3].sum() / across.sum()),
        "inside_9_cm": float(across[middle - 9 : middle + 10].sum() / across.sum()),
        "charge": float(shots.charge.mean()),
        "pixels": float(shots.pixels.mean()),
        "gap_mean_cm": float(gap.mean()),
        "gap_median_cm": float(np.median(gap)),
    }
