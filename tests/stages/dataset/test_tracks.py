"""Masks of simulated events: what left the charge of each pixel, and that looking at it changes no event."""

from __future__ import annotations

import csv
import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from step import dataset_step

pytest.importorskip("numba")

from stages.dataset import __main__ as stage
from stages.dataset.lartpc import Config, origin, single, stack, tables
from stages.dataset.lartpc.rng import event_state
from stages.dataset.lartpc.sample import CLASS_STRIDE, Workspace, simulate

if TYPE_CHECKING:
    from pathlib import Path

    from stages.contract import Step

SIZE = 32
DEPOSITS = st.lists(st.tuples(st.booleans(), st.lists(st.floats(0.001, 9), min_size=1, max_size=4)), max_size=8)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Step:
    step = dataset_step(
        tmp_path_factory.mktemp("tracks"), source="tracks", train_events=9, test_events=3, pixels=SIZE, noise_hits=9.0
    )
    stage.main(step)
    return step


@given(DEPOSITS)
def test_the_particle_that_left_most_names_the_pixel(particles: list[tuple[bool, list[float]]]) -> None:
    charge = np.zeros((origin.PLANES, 1, 1))
    for number, (is_electron, deposits) in enumerate(particles, start=1):
        p = np.zeros(stack.COLUMNS)
        p[stack.NUMBER], p[stack.KIND] = number, tables.ELECTRON if is_electron else tables.PROTON
        for q in deposits:
            origin.trace(charge, 1, 0, 0, p, q)
    sums = [sum(deposits) for _, deposits in particles]
    expected = origin.NONE
    if particles:
        expected = origin.SHOWER if particles[int(np.argmax(sums))][0] else origin.TRACK
    assert charge[origin.ORIGIN + 1, 0, 0] == expected
    assert not charge[origin.ORIGIN].any()


def _fired(kind: int, kinetic_mev: float, shots: int) -> np.ndarray:
    """Count the values of the mask of the collection view over several particles of one kind."""
    config = Config(size=SIZE)
    work = Workspace(SIZE, traced=True)
    counts = np.zeros(3)
    for index in range(shots):
        state = event_state(3, "train", index)
        single._fire(state, kind, kinetic_mev, config.settings(), work.stack, work.charge, np.zeros(2))
        counts += np.bincount(work.charge[origin.ORIGIN + 2].astype(int).ravel(), minlength=3)
    return counts


def test_an_electron_draws_nothing_but_shower() -> None:
    counts = _fired(tables.ELECTRON, 800.0, 5)
    assert counts[origin.SHOWER] > 50
    assert counts[origin.TRACK] == 0


def test_a_muon_draws_a_track_with_delta_rays_beside_it() -> None:
    counts = _fired(tables.MU_MINUS, 1500.0, 5)
    assert counts[origin.TRACK] > 2 * counts[origin.SHOWER] > 0


def test_an_event_is_the_same_whether_its_particles_are_traced_or_not() -> None:
    config = Config(size=SIZE)
    plain, traced = Workspace(SIZE), Workspace(SIZE, traced=True)
    for index in (0, 5, CLASS_STRIDE + 2, 2 * CLASS_STRIDE + 7):
        image, truth = simulate(1, "train", index, config, plain)
        again, same = simulate(1, "train", index, config, traced)
        assert (image == again).all()
        assert truth == same


def test_noise_alone_has_no_particle_and_every_other_pixel_has_one() -> None:
    config, work = Config(size=SIZE, noise_hits=19.0), Workspace(SIZE, traced=True)
    for index in range(6):
        image, truth = simulate(1, "train", index, config, work)
        mask = work.mask(image, 2)
        assert np.count_nonzero(mask) == truth["npix_w"]  # counted before noise pixels are added
        assert (mask[image[:, :, 2] == 0] == 0).all()


def test_every_image_has_a_mask_that_is_listed_with_its_digest(made: Step) -> None:
    with (made.out / "masks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (made.out / "images.csv").open(newline="") as file:
        assert [row["path"] for row in rows] == [row["path"] for row in csv.DictReader(file)]
    assert len(rows) == 12
    for row in rows:
        content = (made.out / "masks" / row["mask"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["sha256"]
        with (
            Image.open(made.out / "masks" / row["mask"]) as mask,
            Image.open(made.out / "images" / row["path"]) as image,
        ):
            assert (mask.mode, mask.size) == ("L", (SIZE, SIZE))
            values, seen = np.asarray(mask), np.asarray(image)[:, :, 2] > 0
        assert set(np.unique(values)) <= {0, 1, 2}
        assert (seen | (values == 0)).all()


def test_the_data_set_says_what_is_sought_and_that_it_is_simulated(made: Step) -> None:
    told = json.loads((made.out / "dataset.json").read_text())
    assert told["source"] == "tracks"
    assert told["masks"] == {"values": ["none", "track", "shower"], "sought": "track"}
    assert "no measurement" in told["about"]


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path, made: Step) -> None:
    again = dataset_step(
        tmp_path, source="tracks", train_events=9, test_events=3, pixels=SIZE, noise_hits=9.0, threads=2
    )
    stage.main(again)
    for name in ("images.csv", "masks.csv", "dataset.json", "metadata.csv"):
        assert (again.out / name).read_bytes() == (made.out / name).read_bytes()
