"""Simulated events: reference statistics, pixels against truth, and no class told by anything but physics."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest

pytest.importorskip("numba")

from stages.dataset.lartpc import CLASSES, Config, GeneratorError, check, measure, png, simulate
from stages.dataset.lartpc.sample import CLASS_STRIDE, COLUMN_NAMES

EVENTS = 2000


@cache
def _measured() -> tuple[dict[str, measure.Values], dict[str, np.ndarray], set[int]]:
    """Make one sample for all tests: its measures, sums of rows and columns by class, and the pixel values seen."""
    shapes: dict[str, list[np.ndarray]] = {name: [] for name in CLASSES}
    values: set[int] = set()

    def look(image: np.ndarray, truth: dict[str, object]) -> None:
        on = image > 0
        halves = [[on[:112, :, view].sum(), on[112:, :, view].sum()] for view in range(3)]
        shapes[str(truth["class"])].append(np.array([*np.ravel(halves)], dtype=float))
        if truth["number"] < 100:
            values.update(np.unique(image).tolist())

    found = measure.sample(EVENTS, look=look)
    return found, {name: np.array(rows) for name, rows in shapes.items()}, values


def _image(label: int, number: int, config: Config, split: str = "train") -> np.ndarray:
    return simulate(7, split, label * CLASS_STRIDE + number, config)[0]


def test_the_sample_agrees_with_the_reference_simulation() -> None:
    rows = check.compare(check.expected()["sample"], _measured()[0])
    assert [str(row) for row in rows if not row.is_met] == []


def test_no_pixel_is_dimmer_than_the_threshold() -> None:
    values = _measured()[2]
    assert values & set(range(1, 8)) == set()
    assert {0, 8, 255} <= values


@pytest.mark.parametrize("name", CLASSES)
def test_u_and_v_are_equals(name: str) -> None:
    by_half = _measured()[1][name]
    difference = by_half[:, 0:2].sum(axis=1) - by_half[:, 2:4].sum(axis=1)
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(EVENTS)


@pytest.mark.parametrize("name", CLASSES)
def test_the_drift_has_no_preferred_side(name: str) -> None:
    by_half = _measured()[1][name]
    difference = by_half[:, 0::2].sum(axis=1) - by_half[:, 1::2].sum(axis=1)
    # rows of the vertex itself belong to the lower half: half a pixel of up to ten tracks in three views
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(EVENTS) + 15


def test_truth_counts_the_pixels_of_the_image() -> None:
    config = Config(noise_hits=0.0)
    for label in range(3):
        for number in range(15):
            image, truth = simulate(7, "train", label * CLASS_STRIDE + number, config)
            counted = np.count_nonzero(image, axis=(0, 1))
            assert counted.tolist() == [truth["npix_u"], truth["npix_v"], truth["npix_w"]]
            assert counted.min() >= config.min_pix
            bright = (image == 255).sum(axis=(0, 1))
            charge = image.sum(axis=(0, 1)) / config.gain
            told = np.array([truth["q_u"], truth["q_v"], truth["q_w"]])
            assert (np.abs(charge - told)[bright == 0] < 0.5 / config.gain * counted[bright == 0]).all()


def test_noise_hits_are_the_same_in_every_class() -> None:
    # Noise hits are drawn last: without them the rest of the image is the same.
    events = 120
    for label in range(3):
        counts, brightness, places = [], [], []
        for number in range(events):
            noisy, clean = (_image(label, number, Config(noise_hits=hits)).astype(int) for hits in (3.0, 0.0))
            added = noisy - clean
            counts.append(np.count_nonzero(added, axis=(0, 1)))
            brightness += added[(added > 0) & (clean == 0)].tolist()
            places += np.argwhere(added)[:, :2].ravel().tolist()
        mean = float(np.mean(counts))
        assert abs(mean - 3.0) < 4 * np.sqrt(3.0 / (3 * events)) + 0.02  # two hits on one pixel count once
        # thr + noise x exponential: 0.30 MIP on average, in counts of 30 per MIP
        assert abs(np.mean(brightness) - 9.0) < 0.3
        assert abs(np.mean(places) - 111.5) < 4 * 64.7 / np.sqrt(len(places))


def test_a_png_holds_pixels_and_nothing_else() -> None:
    for label in range(3):
        image = _image(label, 0, Config())
        data = png.encode(image)
        chunks, at = [], 8
        while at < len(data):
            length = int.from_bytes(data[at : at + 4], "big")
            chunks.append(data[at + 4 : at + 8])
            at += length + 12
        assert set(chunks) == {b"IHDR", b"IDAT", b"IEND"}
        assert data[16:26] == (224).to_bytes(4, "big") * 2 + bytes([8, 2])  # 8 bits, RGB without alpha


def test_an_image_is_eight_bit_rgb_of_the_size_asked_for() -> None:
    for size in (32, 100, 224):
        image = _image(1, 1, Config(size=size))
        assert image.shape == (size, size, 3)
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
        assert not set(np.unique(image)) & set(range(1, 8))


def test_a_cc_event_begins_at_the_central_pixel_at_every_size() -> None:
    for size in (32, 112, 224):
        near = [
            _image(0, number, Config(size=size))[size // 2 - 2 : size // 2 + 3, size // 2 - 2 : size // 2 + 3]
            for number in range(20)
        ]
        assert all(part.any() for part in near)


def test_truth_has_the_promised_columns() -> None:
    _, truth = simulate(7, "val", 2 * CLASS_STRIDE + 5, Config())
    assert tuple(truth) == COLUMN_NAMES
    assert (truth["id"], truth["split"], truth["class"], truth["label"]) == ("val_nc_0000005", "val", "nc", 2)
    assert (truth["number"], truth["index"]) == (5, 20000005)


def test_particles_agree_with_the_counts() -> None:
    for index in (3, CLASS_STRIDE + 3, 2 * CLASS_STRIDE + 3):
        _, truth = simulate(7, "train", index, Config())
        particles = json.loads(truth["particles"])
        pdg = [row[0] for row in particles]
        assert [pdg.count(code) for code in (2112, 211, -211, 111)] == [
            truth["n_n"], truth["n_pip"], truth["n_pim"], truth["n_pi0"],
        ]  # fmt: skip
        assert sum(row[0] == 2212 and row[1] > 50 for row in particles) == truth["n_p50"]
        assert all(np.hypot(np.hypot(*row[2:4]), row[4]) == pytest.approx(1, abs=1e-4) for row in particles)
        if index < 2 * CLASS_STRIDE:
            assert pdg[-1] == (13 if index < CLASS_STRIDE else 11)
            assert particles[-1][4] == pytest.approx(truth["cos_lep"], abs=1e-5)


def test_an_event_does_not_depend_on_what_was_made_before() -> None:
    alone = _image(2, 9, Config())
    for number in (4, 12, 9, 2):
        again = _image(2, number, Config())
    assert (_image(2, 9, Config()) == alone).all()
    assert not (again == alone).all()


def test_no_split_repeats_an_event_of_another() -> None:
    seen = {
        _image(label, n, Config(), split).tobytes()
        for label in range(3)
        for n in range(5)
        for split in ("train", "test", "val", "calib")
    }
    assert len(seen) == 60


def test_more_neutral_pions_on_request() -> None:
    config = Config(pi0_boost=3.0)
    truths = [simulate(7, "train", 2 * CLASS_STRIDE + n, config)[1] for n in range(600)]
    assert np.mean([truth["n_pi0"] > 0 for truth in truths]) > 0.62


@pytest.mark.parametrize(
    ("seed", "split", "index", "key"),
    [
        (-1, "train", 0, "seed"),
        (1, "training", 0, "training"),
        (1, "train", 3 * CLASS_STRIDE, "index"),
        (1, "train", -1, "index"),
    ],
)
def test_an_event_that_cannot_be_is_refused_by_name(seed: int, split: str, index: int, key: str) -> None:
    with pytest.raises(GeneratorError, match=key):
        simulate(seed, split, index, Config())


def test_settings_that_no_event_meets_end_with_a_reason() -> None:
    with pytest.raises(GeneratorError, match="min_pix"):
        simulate(1, "train", 0, Config(thr=10.0, min_pix=500, e_min=0.5, e_max=0.6, step=0.5))
