"""Simulated charge-stability diagrams: against brute force, against limits that are known, and as a data set."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from step import dataset_step

from stages.dataset import __main__ as stage
from stages.dataset.stability import charge, device, diagram, noise

if TYPE_CHECKING:
    from pathlib import Path

    from stages.dataset.stability.device import Device

SIZE = 32
SEEDS = st.integers(0, 10_000)


def drawn(seed: int) -> Device:
    return device.draw(np.random.default_rng(seed))


def slowly(one: Device, first: float, second: float) -> list[tuple[float, int, int]]:
    """Energies of all states with at most 11 electrons on a dot, the lowest first."""
    found = []
    for ones, others in product(range(12), repeat=2):
        apart = np.array([ones - first, others - second])
        found.append((float(0.5 * apart @ one.energies @ apart), ones, others))
    return sorted(found)


@settings(max_examples=25)
@given(SEEDS, st.floats(0, 1), st.floats(0, 1))
def test_the_ground_state_is_that_of_a_search_over_all_states(seed: int, x: float, y: float) -> None:
    one = drawn(seed)
    first, second = (one.corner[dot] + one.lever[dot, 0] * x + one.lever[dot, 1] * y for dot in (0, 1))
    lowest, next_lowest = slowly(one, first, second)[:2]
    ones, others = charge.ground_states(one, (np.array([[first]]), np.array([[second]])))
    if next_lowest[0] - lowest[0] > 1e-9:  # on a line both are right
        assert (ones[0, 0], others[0, 0]) == lowest[1:]


@settings(max_examples=25)
@given(SEEDS)
def test_the_mean_is_that_of_all_states_by_their_boltzmann_weights(seed: int) -> None:
    one = drawn(seed)
    places = np.array([0.3, 0.7])
    means = charge.mean_electrons(one, charge.induced(one, places))
    for row, column in product(range(2), repeat=2):
        x, y = places[column], places[::-1][row]
        first, second = (one.corner[dot] + one.lever[dot, 0] * x + one.lever[dot, 1] * y for dot in (0, 1))
        states = slowly(one, first, second)
        weights = np.exp([(states[0][0] - energy) / one.thermal_mev for energy, _, _ in states])
        for dot in (0, 1):
            expected = np.dot(weights, [state[1 + dot] for state in states]) / weights.sum()
            assert means[dot][row, column] == pytest.approx(expected, abs=1e-6)


@settings(max_examples=20)
@given(SEEDS)
def test_lines_part_regions_of_whole_numbers_of_electrons(seed: int) -> None:
    one = replace(drawn(seed), temperature_k=1e-4)
    lines = charge.line_pixels(one, SIZE)
    first, second = charge.mean_electrons(one, charge.induced(one, (np.arange(SIZE) + 0.5) / SIZE))
    for electrons in (first[~lines], second[~lines]):
        assert np.abs(electrons - np.rint(electrons)).max(initial=0.0) < 1e-6
    moved = np.abs(np.diff(np.rint(first), axis=1)) + np.abs(np.diff(np.rint(second), axis=1)) > 0
    assert (lines[:, 1:] & lines[:, :-1])[moved].all()


def test_without_mutual_charging_lines_are_straight_and_lie_at_half_electrons() -> None:
    plain = replace(
        drawn(1),
        energies=np.diag([2.0, 3.0]),
        lever=np.array([[2.0, 0.0], [0.0, 1.0]]),
        corner=np.array([0.0, 0.0]),
    )
    lines = charge.line_pixels(plain, 40)
    expected = np.zeros((40, 40), np.bool_)
    expected[:, [9, 10, 29, 30]] = True  # half an electron of two over 40 pixels: after 10 and after 30
    expected[[19, 20]] = True
    assert (lines == expected).all()


def test_a_line_between_the_last_pixel_and_the_next_place_counts() -> None:
    far = replace(drawn(1), energies=np.diag([2.0, 3.0]), lever=np.diag([1.0, 0.0]), corner=np.array([-0.5, 0.0]))
    assert np.flatnonzero(charge.line_pixels(far, 40).any(axis=0)).tolist() == [39]


def test_an_empty_double_dot_has_no_lines() -> None:
    empty = replace(drawn(1), corner=np.array([-3.0, -3.0]), lever=np.eye(2))
    assert not charge.line_pixels(empty, SIZE).any()


def test_flicker_noise_has_most_of_its_power_at_low_frequencies() -> None:
    values = noise.flicker(np.random.default_rng(1), 64)
    assert values.std() == pytest.approx(1)
    assert abs(values.mean()) < 1e-12
    power = np.abs(np.fft.rfft(values[::-1].ravel())) ** 2
    octaves = [power[2**n : 2 ** (n + 1)].sum() for n in range(3, 11)]  # 1/f: as much in each octave
    assert max(octaves) < 3 * min(octaves)


def test_the_same_numbers_give_the_same_diagram_and_others_another() -> None:
    image, mask, _ = diagram.simulate(1, "train", 4, SIZE)
    again, same, _ = diagram.simulate(1, "train", 4, SIZE)
    assert (image == again).all()
    assert (mask == same).all()
    assert (image != diagram.simulate(1, "test", 4, SIZE)[0]).any()
    assert (image != diagram.simulate(2, "train", 4, SIZE)[0]).any()


def test_noise_is_in_the_image_and_not_in_the_truth() -> None:
    quiet, loud = (diagram.simulate(1, "train", 3, SIZE, scale) for scale in (0.0, 3.0))
    assert (quiet[1] == loud[1]).all()
    assert (quiet[0] != loud[0]).mean() > 0.5


def test_the_stage_writes_diagrams_masks_and_what_was_drawn(tmp_path: Path) -> None:
    step = dataset_step(tmp_path, source="stability", train_events=6, test_events=3, pixels=SIZE, threads=2)
    stage.main(step)
    told = json.loads((step.out / "dataset.json").read_text())
    assert told["splits"] == {"train": {"diagram": 6}, "test": {"diagram": 3}}
    assert told["masks"] == {"values": ["none", "line"], "sought": "line"}
    assert "no measurement" in told["about"]
    with (step.out / "metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9
    for row in rows:
        low, high = device.RANGES["electron_temperature_k"]
        assert low <= float(row["temperature_k"]) <= high
        with Image.open(step.out / "masks" / row["path"]) as mask:
            assert set(np.unique(np.asarray(mask))) <= {0, 1}
