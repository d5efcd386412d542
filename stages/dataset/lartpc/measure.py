"""Measure the model: stopping power, single particles, and a sample of whole events.

Every function returns numbers by name; `check` compares them with expected.json. Specification,
sections 10.1 to 10.3.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Optional, Sequence, Union

import numpy as np
import numpy.typing as npt

from stages.dataset.lartpc import tables
from stages.dataset.lartpc.config import Config
from stages.dataset.lartpc.detector import recombination
from stages.dataset.lartpc.neutrino import MODES
from stages.dataset.lartpc.sample import CLASS_STRIDE, CLASSES, Truth, Workspace, simulate
from stages.dataset.lartpc.single import fire, profile

Values = Dict[str, List[float]]
Array = npt.NDArray[np.float64]

_ENERGIES = (50.0, 100.0, 200.0, 400.0, 1000.0)
_SHOWER_ENERGIES = (100, 500, 1000, 3000)
#: Columns 50 to 150 cm after the start: before, delta rays have not yet built up.
_EQUILIBRIUM = slice(62, 162)


def tables_of_argon() -> Values:
    """Return ranges (cm), losses (MeV/cm), cross sections (barn) and recombination of section 10.1."""
    values: Values = {}
    rows = {"muon": tables.ROW_MUON, "pion": tables.ROW_PION, "proton": tables.ROW_PROTON}
    for name, row in rows.items():
        values[f"{name}_range_cm"] = [tables.range_at(row, t) for t in _ENERGIES]
        values[f"{name}_loss"] = [tables.loss_at(row, t) for t in _ENERGIES]
    fast = tables.LOSS[tables.ROW_MUON][tables.GRID > 100.0]
    values["muon_least_loss"] = [float(fast.min())]
    values["electron_loss"] = [tables.loss_at(tables.ROW_ELECTRON, t) for t in (0.5, 1.0, 2.0, 5.0, 10.0, 50.0)]
    values["klein_nishina_barn"] = [tables.klein_nishina(1.0)]
    values["recombination"] = [recombination(2.105), recombination(10.0)]
    return values


def single_particles(scale: float = 1.0) -> Values:
    """Return the track and shower measures of section 10.2, from `scale` times the usual number of shots."""

    def shots(number: int) -> int:
        return max(20, round(scale * number))

    values: Values = {}
    stopped = fire(tables.MU_MINUS, 300, shots(500))
    with_michel = fire(tables.MU_PLUS, 300, shots(500))
    values["muon_300_path_cm"] = [float(stopped.path.mean())]
    values["muon_300_path_spread_cm"] = [float(stopped.path.std())]
    values["muon_300_charge"] = [float(stopped.charge.mean()), float(with_michel.charge.mean())]
    columns = fire(tables.MU_MINUS, 1500, shots(3000)).columns[:, _EQUILIBRIUM].ravel()
    values["muon_1500_column"] = [float(np.median(columns)), float(columns.mean()), *_quantiles(columns, (10, 90))]
    values["pion_300_path_cm"] = _quantiles(fire(tables.PI_PLUS, 300, shots(10000)).path, (10, 50, 90))
    proton = fire(tables.PROTON, 200, shots(10000))
    values["proton_200_path_cm"] = _quantiles(proton.path, (10, 50, 90))
    values["proton_200_charge"] = [float(proton.charge.mean())]
    neutron = fire(tables.NEUTRON, 200, shots(3000))
    values["neutron_200_charge"] = [float(neutron.charge.mean())]
    values["neutron_200_pixels"] = [float(neutron.pixels.mean())]
    for name, kind in (("electron", tables.ELECTRON), ("photon", tables.PHOTON)):
        for energy in _SHOWER_ENERGIES:
            shower = profile(fire(kind, energy, shots(2000000 // energy)))
            if kind == tables.ELECTRON:
                shower = {key: value for key, value in shower.items() if not key.startswith("gap")}
            for key, value in shower.items():
                values.setdefault(f"{name}_{key}", []).append(value)
    return values


def _quantiles(values: Array, percents: Sequence[float]) -> List[float]:
    """Return percentiles as plain numbers."""
    return [float(value) for value in np.percentile(values, percents)]


class _Pictures:
    """Sums over the images of one class."""

    def __init__(self, size: int) -> None:
        rows, columns = np.mgrid[0:size, 0:size]
        self.half = size // 2
        self.distance = np.hypot(rows - self.half, columns - self.half)
        self.counts = np.zeros(256)
        self.events: List[List[float]] = []

    def add(self, image: npt.NDArray[np.uint8]) -> None:
        """Take one image into account."""
        self.counts += np.bincount(image[image > 0], minlength=256)
        rows, columns = np.nonzero(image[:, :, 2])
        w = image[rows, columns, 2].astype(np.float64)
        distance = self.distance[rows, columns]
        total = w.sum()
        last = image.shape[0] - 1
        self.events.append(
            [
                w[distance <= 10.0].sum() / total,
                w[distance <= 30.0].sum() / total,
                w[columns < self.half].sum() / total,
                float(min(rows.min(), columns.min()) == 0 or max(rows.max(), columns.max()) == last),
                float(distance.min() <= 2.0),
            ]
        )

    def values(self) -> Values:
        """Return the measures of section 10.3 that come from pixels."""
        means = np.mean(self.events, axis=0)
        seen = self.counts[1:]
        cumulated = np.cumsum(seen) / seen.sum()
        levels = [float(np.searchsorted(cumulated, part) + 1) for part in (0.05, 0.25, 0.5, 0.75, 0.95)]
        return {
            "pixel_value": levels,
            "saturated_share": [float(seen[-1] / seen.sum())],
            "charge_near_vertex": [float(means[0]), float(means[1])],
            "charge_backwards": [float(means[2])],
            "touches_border": [float(means[3])],
            "pixel_at_vertex": [float(means[4])],
        }


def _true_values(events: Sequence[Truth]) -> Values:
    """Return the measures of section 10.3 that come from the true values."""

    def column(name: str) -> Array:
        return np.array([float(event[name]) for event in events])

    five = (5, 25, 50, 75, 95)
    modes = [str(event["mode"]) for event in events]
    charged = column("n_pip") + column("n_pim")
    values = {
        "energy_mean_gev": [float(column("e_nu").mean())],
        "energy_gev": _quantiles(column("e_nu"), (10, 50, 90)),
        "modes": [modes.count(mode) / len(modes) for mode in MODES],
        "y_mean": [float(column("y").mean())],
        "q2_mean": [float(column("q2").mean())],
        "lepton_energy_gev": _quantiles(column("e_lep"), (5, 50, 95)),
        "lepton_cosine": _quantiles(column("cos_lep"), (5, 50, 95)),
        "protons": [float(column("n_p50").mean())],
        "neutrons": [float(column("n_n").mean())],
        "pions": [float(column(name).mean()) for name in ("n_pip", "n_pim", "n_pi0")],
        "with_pi0": [float((column("n_pi0") > 0).mean())],
        "with_charged_pion": [float((charged > 0).mean())],
        "pixels_w": [float(column("npix_w").mean())],
        "pixels_w_quantiles": _quantiles(column("npix_w"), five),
        "pixels_u_v": [float(column("npix_u").mean()), float(column("npix_v").mean())],
        "u_over_v": [float(column("npix_u").sum() / column("npix_v").sum())],
        "charge_w_u": [float(column("q_w").mean()), float(column("q_u").mean())],
        "charge_per_pixel_w_u": [float(column(f"q_{v}").sum() / column(f"npix_{v}").sum()) for v in ("w", "u")],
        "muon_path_cm": _quantiles(column("lepton_path_cm"), five),
        "hadron_path_cm": _quantiles(column("hadron_path_cm"), five),
        "redraws": [float(column("redraws").mean())],
    }
    if events[0]["class"] == "nc":  # the outgoing neutrino is nobody's business
        del values["lepton_energy_gev"], values["lepton_cosine"]
    return values


def sample(
    events: int,
    seed: int = 2026,
    config: Optional[Config] = None,
    look: Union[Callable[[npt.NDArray[np.uint8], Truth], None], None] = None,
) -> Dict[str, Values]:
    """Return the measures of section 10.3 by class, from the first `events` training events of each.

    `look(image, truth)` sees every event on the way.
    """
    settings = config if config is not None else Config()
    work = Workspace(settings.size)
    found: Dict[str, Values] = {}
    for label, name in enumerate(CLASSES):
        pictures = _Pictures(settings.size)
        truths = []
        for number in range(events):
            image, truth = simulate(seed, "train", label * CLASS_STRIDE + number, settings, work)
            pictures.add(image)
            truths.append(truth)
            if look is not None:
                look(image, truth)
        found[name] = {**_true_values(truths), **pictures.values()}
    return found
