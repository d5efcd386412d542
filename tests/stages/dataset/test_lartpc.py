"""Physics of the event generator: argon, single particles, the detector's geometry, energy balance."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("numba")

from stages.dataset.lartpc import check, detector, event, measure, neutrino, quasielastic, single, stack, tables
from stages.dataset.lartpc.config import Config, GeneratorError
from stages.dataset.lartpc.rng import event_state

LABELS = (neutrino.CC_NUMU, neutrino.CC_NUE, neutrino.NC)
IDEAL = single.IDEAL.settings()
# A pixel grid so large that nothing can fall outside it: reach is 118 cm from the vertex.
WIDE = IDEAL._replace(size=800)


def _misses(rows: list[check.Row], slack: float = 1.0) -> list[str]:
    return [str(row) for row in rows if not row._replace(tolerance=slack * row.tolerance).is_met]


def test_ranges_losses_and_cross_sections_agree_with_tables() -> None:
    assert _misses(check.compare(check.expected()["tables"], {"all": measure.tables_of_argon()})) == []


def test_single_particles_look_as_physics_says() -> None:
    # A tenth of the particles that `check` fires: three times the statistical error and the tolerance.
    found = measure.single_particles(0.1)
    assert _misses(check.compare(check.expected()["single"], {"all": found}), slack=3.0) == []


def test_a_number_outside_its_tolerance_is_a_miss() -> None:
    entry = {"q": {"all": [1.0, 100.0], "relative": 0.01, "absolute": [0.5, 0.0]}}
    rows = check.compare(entry, {"all": {"q": [1.5, 101.1]}})
    assert [row.is_met for row in rows] == [True, False]


def test_an_expectation_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="one number or 2"):
        check.compare({"q": {"all": [1.0]}}, {"all": {"q": [1.0, 2.0]}})


# Published total cross sections are uncertain by more; the specification quotes these for 3 GeV.
@pytest.mark.parametrize(("target", "mass", "expected"), [(0, 0.10566, 0.99), (1, 0.0, 0.14), (2, 0.0, 0.20)])
def test_llewellyn_smith_integrates_to_the_known_cross_section(target: int, mass: float, expected: float) -> None:
    assert quasielastic.integrated(3.0, mass, target) == pytest.approx(expected, rel=0.05)


def test_no_weight_exceeds_its_ceiling() -> None:
    for target in (quasielastic.CC, quasielastic.NC_PROTON, quasielastic.NC_NEUTRON):
        for energy in np.linspace(0.5, 10.0, 39):
            for q2 in np.linspace(0.0, 4.0, 81):
                weight = quasielastic.weight(energy, q2, 0.0, target) * (1 + q2 / 0.7) ** 2
                assert weight <= quasielastic.CEILING[target]


def test_cross_sections_per_energy_follow_the_review() -> None:
    per_gev = [neutrino.total_cross_section(neutrino.CC_NUMU, e) / e for e in (1.0, 2.0, 3.0, 4.0)]
    assert per_gev == pytest.approx([0.94, 0.77, 0.74, 0.74], abs=0.006)
    for energy in (1.0, 2.0, 3.0, 4.0):
        ratio = neutrino.total_cross_section(neutrino.NC, energy) / neutrino.total_cross_section(0, energy)
        assert 0.305 < ratio < 0.335


def _primaries(label: int, config: Config, events: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the true values of many interactions and the energy they release minus E_nu, GeV."""
    state = event_state(11, "calib", label)
    hadrons, leaving = np.empty((16, stack.COLUMNS)), np.empty((stack.PRIMARIES, stack.COLUMNS))
    depth, truth = np.zeros(2, dtype=np.int64), np.zeros(event.TRUTH)
    truths, balance = [], []
    for _ in range(events):
        n = event.make_primaries(state, label, config.settings(), truth, hadrons, leaving, depth)
        pions = [k for k in leaving[:n, stack.KIND].astype(int) if k not in (tables.PROTON, tables.NEUTRON)]
        nucleons = n - len(pions)
        energy = leaving[:n, stack.KINETIC].sum() + sum(tables.MASS[k] for k in pions)
        struck = 2 if truth[event.MODE] == neutrino.MEC else 1
        energy += (nucleons - struck) * 938.918
        truths.append(truth.copy())
        balance.append(energy * 1e-3 + truth[neutrino.E_LEP] - truth[event.E_NU])
    return np.array(truths), np.array(balance)


@pytest.mark.parametrize("label", LABELS)
def test_without_reinteraction_energy_is_conserved_but_for_fermi_motion(label: int) -> None:
    truths, balance = _primaries(label, Config(fsi=0), 6000)
    modes = truths[:, event.MODE]
    assert balance[modes == neutrino.MEC] == pytest.approx(-0.03, abs=1e-9)
    for mode in (neutrino.QE, neutrino.RES, neutrino.DIS):
        chosen = balance[modes == mode]
        assert abs(chosen.mean()) < 0.03
        assert 0.07 < chosen.std() < 0.11


def test_low_energies_end_too() -> None:
    truths, _ = _primaries(neutrino.CC_NUMU, Config(e_min=0.5, e_max=0.65), 2000)
    assert truths[truths[:, event.MODE] == neutrino.DIS, event.E_NU].min(initial=1.0) > 0.6


def test_energies_stay_in_the_range_asked_for() -> None:
    truths, _ = _primaries(neutrino.NC, Config(e_min=0.7, e_max=1.3), 500)
    assert truths[:, event.E_NU].min() >= 0.7
    assert truths[:, event.E_NU].max() <= 1.3


def test_kinematics_are_possible() -> None:
    for label in LABELS:
        truths, _ = _primaries(label, Config(), 2000)
        q2, w = truths[:, neutrino.Q2], truths[:, neutrino.W]
        assert (np.abs(truths[:, neutrino.COS_LEP]) <= 1).all()
        assert (q2 >= 0).all()
        assert (w >= 0.9389).all() or label != neutrino.NC
        assert ((truths[:, neutrino.Y] > 0) & (truths[:, neutrino.Y] < 1)).all()


def _deposit(points: np.ndarray, settings: object = WIDE) -> np.ndarray:
    charge = np.zeros((3, settings.size, settings.size))
    frame = detector.make_frame(0.5, 0.5, 0.5, settings)
    state = event_state(1, "calib", 0)
    particle = np.zeros(stack.COLUMNS)
    for point in points:
        particle[stack.POS_X : stack.POS_Z + 1] = point
        detector.deposit(state, charge, frame, settings, particle, 1.0, 2.105)
    return charge


def test_u_plus_v_is_twice_w_times_the_cosine() -> None:
    for point in np.random.default_rng(1).uniform(-100, 100, (200, 3)):
        columns = [int(np.flatnonzero(view.sum(axis=0))[0]) - WIDE.size // 2 for view in _deposit(point[None])]
        u, v, w = columns
        # each column is known to a pixel: u + v to 2, 2 w cos(a) to 1.62
        assert abs(u + v - 2 * w * math.cos(math.radians(35.9))) < 4


def test_a_charge_lands_in_the_same_row_of_every_view() -> None:
    charge = _deposit(np.random.default_rng(2).uniform(-100, 100, (300, 3)))
    assert (charge[0].sum(axis=1) == charge[1].sum(axis=1)).all()
    assert (charge[0].sum(axis=1) == charge[2].sum(axis=1)).all()


def test_a_minimum_ionising_centimetre_is_one_mip() -> None:
    # 2.105 MeV at 2.105 MeV/cm; the unit itself is rounded to five digits
    assert 2.105 * detector.recombination(2.105) / detector.MIP == pytest.approx(1.0, abs=1e-4)


def test_charge_never_becomes_negative() -> None:
    assert min(detector.recombination(density) for density in np.geomspace(1e-6, 100, 200)) >= 0


def _track(direction: tuple[float, float, float], kind: int, kinetic: float, settings: object = WIDE) -> np.ndarray:
    """Return the charge of one particle that starts at the vertex."""
    particles, charge = np.empty((stack.CAPACITY, stack.COLUMNS)), np.zeros((3, settings.size, settings.size))
    depth, origin = np.zeros(2, dtype=np.int64), np.zeros(stack.COLUMNS)
    origin[stack.POS_X : stack.POS_Z + 1] = 0.5
    stack.push(particles, depth, kind, stack.LEPTON, kinetic, origin, direction)
    frame = detector.make_frame(0.5, 0.5, 0.5, settings)
    event.transport(event_state(3, "calib", kind), particles, depth, charge, frame, settings, np.zeros(2))
    return charge


def test_a_vertical_muon_fills_one_w_column_and_moves_left_in_u_and_right_in_v() -> None:
    # the cube ends the track after 1 m; in w it would never leave the view
    charge = _track((0.0, 1.0, 0.0), tables.MU_MINUS, 3000.0, WIDE._replace(half_cube=100.0))
    u, v, w = (view.sum(axis=0) for view in charge)
    middle = WIDE.size // 2
    columns = np.arange(WIDE.size) - middle
    assert w[middle - 1 : middle + 2].sum() > 0.8 * w.sum()  # scattering and delta rays spread it a little
    # 20 cm up: 11.7 cm to either side; the column of the vertex itself is only partly crossed
    assert u[middle - 11 : middle].min() > 0.5
    assert v[middle + 1 : middle + 12].min() > 0.5
    # half of 100 cm x sin(35.9 degrees)
    assert np.average(columns, weights=u) == pytest.approx(-29.3, abs=4)
    assert np.average(columns, weights=v) == pytest.approx(29.3, abs=4)


def test_a_muon_along_the_beam_fills_every_column_from_the_vertex_on() -> None:
    charge = _track((0.0, 0.0, 1.0), tables.MU_MINUS, 3000.0, IDEAL)
    filled = np.count_nonzero(charge[2].sum(axis=0) > 0.3)
    assert abs(filled - 112) <= 1


def test_all_views_collect_the_charge_of_a_contained_electron() -> None:
    for kinetic in (50.0, 200.0):
        sums = _track((0.0, 0.0, 1.0), tables.ELECTRON, kinetic).sum(axis=(1, 2))
        assert sums == pytest.approx(sums[0], rel=1e-12)
        assert sums[0] == pytest.approx(0.68 * kinetic / detector.MIP, rel=0.05)


def test_a_minimum_ionising_track_is_equally_bright_at_every_size() -> None:
    for size in (32, 56, 112, 224):
        settings = Config(size=size, noise=0.0, noise_hits=0.0, half_cube=1e6, margin=0.0).settings()
        charge = _track((0.0, 0.0, 1.0), tables.MU_MINUS, 1500.0, settings)
        columns = charge[2].sum(axis=0) / settings.pitch
        assert np.median(columns[size // 2 + 1 :]) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"e_min": 4.0}, "e_min"),
        ({"e_min": 0.1}, "e_min"),
        ({"e_max": math.nan}, "e_max"),
        ({"e_max": "4"}, "e_max"),
        ({"size": 31}, "size"),
        ({"size": 225}, "size"),
        ({"size": 64.5}, "size"),
        ({"fsi": True}, "fsi"),
        ({"step": 0.6}, "step"),
        ({"margin": 250.0}, "margin"),
        ({"pi0_boost": 0.5}, "pi0_boost"),
    ],
)
def test_an_impossible_parameter_is_refused_by_name(values: dict[str, object], key: str) -> None:
    with pytest.raises(GeneratorError, match=key):
        Config(**values)


def test_whole_and_decimal_numbers_make_the_same_configuration() -> None:
    assert repr(Config(e_min=1, size=224.0)) == repr(Config())


def test_fewest_pixels_follow_the_pixel_size() -> None:
    assert [Config(size=size).settings().min_pix for size in (224, 112, 32)] == [12, 6, 2]
    assert Config(size=32, min_pix=0).settings().min_pix == 0
    assert Config(size=32, min_pix=1).settings().min_pix == 1
