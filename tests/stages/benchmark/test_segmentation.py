"""Segmentation as a task: scores against a count pixel by pixel, intervals over images, masks that cannot be used."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from masked import make_masked
from PIL import Image

from stages.contract import InputError, Step
from stages.images import BROKEN
from stages.masks import Masks, decode
from stages.tasks import task_of
from stages.tasks.pixels import FIELDS, Counts, PixelScores, iou_difference
from stages.tasks.segmentation import compare

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 16
MASKS = arrays(np.bool_, (3, 5, 5))


def slowly(truth: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Count every pixel of every image by itself."""
    both = either = sought = named = right = 0
    for is_sought, is_named in zip(truth.ravel().tolist(), found.ravel().tolist(), strict=True):
        both += is_sought and is_named
        either += is_sought or is_named
        sought += is_sought
        named += is_named
        right += is_sought == is_named
    others = truth.size - sought
    return {
        "iou": both / either if either else 1.0,
        "recall_line": both / sought if sought else 1.0,
        "recall_other": (right - both) / others if others else 1.0,
        "precision_line": both / named if named else float(not sought),
        "pixel_accuracy": right / truth.size,
    }


def counted(truth: np.ndarray, found: np.ndarray) -> Counts:
    return Counts.together([Counts.of(*pair) for pair in zip(truth, found, strict=True)])


@given(MASKS, MASKS)
def test_scores_are_those_of_a_count_pixel_by_pixel(truth: np.ndarray, found: np.ndarray) -> None:
    assert PixelScores(("other", "line"), counted(truth, found)).values == pytest.approx(slowly(truth, found))


@settings(max_examples=10, deadline=None)
@given(MASKS, MASKS)
def test_every_score_lies_in_its_interval_of_resampled_images(truth: np.ndarray, found: np.ndarray) -> None:
    scores = PixelScores(("other", "line"), counted(truth, found))
    for name, (low, high) in scores.intervals.items():
        assert 0 <= low <= high <= 1
        assert low - 1e-12 <= scores.values[name] <= high + 1e-12 or low == high or 0 < scores.values[name] < 1


def test_equal_images_have_no_width_however_many_pixels_are_wrong() -> None:
    one = Counts.of(np.array([True, True, False, False]), np.array([True, False, True, False]))
    low, high = PixelScores(("other", "line"), Counts.together([one] * 20)).intervals["iou"]
    assert low == high == pytest.approx(1 / 3)


def test_images_that_differ_have_a_wider_interval_than_their_pixels_would() -> None:
    right = Counts.of(np.ones(1000, bool), np.ones(1000, bool))
    wrong = Counts.of(np.ones(1000, bool), np.zeros(1000, bool))
    low, high = PixelScores(("other", "line"), Counts.together([right, wrong] * 10)).intervals["iou"]
    assert high - low > 0.3  # 20 coins; 20,000 independent pixels would give 0.014


def test_the_difference_of_a_file_to_itself_is_nothing() -> None:
    rng = np.random.default_rng(1)
    some = counted(rng.random((9, 30)) < 0.3, rng.random((9, 30)) < 0.3)
    assert iou_difference(some, some) == (0.0, (0.0, 0.0))


@settings(deadline=None)
@given(arrays(np.float32, (2, 4, 4), elements=st.floats(0, 1, width=32)), arrays(np.bool_, (2, 4, 4)))
def test_a_file_that_says_the_same_has_no_regret(sure: np.ndarray, truth: np.ndarray) -> None:
    score = compare(sure, sure, truth)
    assert (score.regret, score.divergence, score.agreement) == (0, 0, 1)
    assert score.iou == pytest.approx(slowly(truth, sure >= 0.5)["iou"])


def test_the_regret_is_the_iou_that_the_float_network_expects_to_lose() -> None:
    sure = np.array([[[0.9], [0.8], [0.1], [0.0]]])
    said = np.array([[[0.9], [0.2], [0.1], [0.0]]])
    own = (0.9 + 0.8) / (1.8 + 2 - 1.7)
    other = 0.9 / (1.8 + 1 - 0.9)
    assert compare(sure, said, np.zeros_like(sure)).regret == pytest.approx(own - other)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_masked(tmp_path / "masked", size=SIZE, train=3, test=4)


def opened(dataset: Path) -> Step:
    return Step(
        "benchmark", "benchmark", {"model": "unet447"}, 1, {"dataset": dataset}, dataset, None, [], io.StringIO()
    )


def test_the_truth_is_what_is_sought_and_nothing_else(dataset: Path) -> None:
    task = task_of("unet447", opened(dataset))
    assert task.classes == ("other", "line")
    row = task.images.rows("test")[0]
    mask = np.asarray(Image.open(dataset / "masks" / row.path))
    assert (task.truth(row, SIZE)[..., 0] == (mask == 2)).all()
    assert task.truth(row, 8).shape == task.truth_like(8)[0] == (8, 8, 1)
    assert set(np.unique(task.truth(row, 8))) <= {0.0, 1.0}  # resized without mixing


def test_predictions_hold_the_counts_and_the_masks_that_were_found(dataset: Path, tmp_path: Path) -> None:
    task = task_of("unet447", opened(dataset))
    rows = task.images.rows("test")
    outputs = np.random.default_rng(1).random((4, SIZE * SIZE)).astype(np.float32)
    task.write_predictions(tmp_path, rows, outputs, SIZE)
    found = np.unpackbits(np.load(tmp_path / "masks.npy"), axis=1).astype(bool)
    assert (found == (outputs >= 0.5)).all()
    with (tmp_path / "predictions.csv").open(newline="") as file:
        told = list(csv.DictReader(file))
    for row, line, mask in zip(rows, told, found, strict=True):
        truth = task.truth(row, SIZE).ravel() > 0
        assert line["path"] == row.path
        assert [int(line[name]) for name in FIELDS] == Counts.of(truth, mask).by_image[0].tolist()


def test_a_mask_that_changed_is_named(dataset: Path) -> None:
    task = task_of("unet447", opened(dataset))
    row = task.images.rows("test")[1]
    (dataset / "masks" / row.path).write_bytes((dataset / "masks" / task.images.rows("test")[0].path).read_bytes())
    with pytest.raises(InputError) as caught:
        task.truth(row, SIZE)
    assert row.path in caught.value.message
    assert "changed" in caught.value.message


def test_data_without_masks_is_refused(dataset: Path) -> None:
    told = json.loads((dataset / "dataset.json").read_text())
    del told["masks"]
    (dataset / "dataset.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match="no masks"):
        task_of("unet447", opened(dataset))


@pytest.mark.parametrize(
    "told",
    [
        {"values": ["none"], "sought": "none"},
        {"values": ["none", "line"], "sought": "track"},
        {"values": ["none", "none"], "sought": "none"},
        {"values": "none", "sought": "n"},
        {"values": [1, 2], "sought": 2},
        [],
    ],
)
def test_a_wrong_description_of_masks_is_refused(dataset: Path, told: object) -> None:
    document = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps({**document, "masks": told}))
    with pytest.raises(InputError, match="not as Coralline writes them"):
        Masks.read(opened(dataset))


@pytest.mark.parametrize("text", ["", "path,mask\na,b\n", "path,mask,sha256\na,b\n", "path,mask,sha256\na,b,c,d\n"])
def test_a_damaged_list_of_masks_is_refused(dataset: Path, text: str) -> None:
    (dataset / "masks.csv").write_text(text)
    with pytest.raises(InputError, match="not as Coralline writes them"):
        Masks.read(opened(dataset))


@pytest.mark.parametrize("place", ["../../secret.png", "/etc/passwd"])
def test_a_mask_outside_the_data_is_not_opened(dataset: Path, place: str) -> None:
    text = (dataset / "masks.csv").read_text().splitlines()
    path, _, digest = text[1].split(",")
    (dataset / "masks.csv").write_text("\n".join([text[0], f"{path},{place},{digest}", *text[2:]]) + "\n")
    task = task_of("unet447", opened(dataset))
    row = next(row for rows in task.images.splits.values() for row in rows if row.path == path)
    with pytest.raises(InputError, match="outside"):
        task.truth(row, SIZE)


def png(mode: str, value: int = 1) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (4, 4), value).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("content", [b"", b"GIF89a", png("RGB"), png("I;16"), png("L", 7), png("L")[:-20]])
def test_what_is_no_mask_is_refused(content: bytes) -> None:
    with pytest.raises((ValueError, OSError)):
        decode(content, 3)


@given(st.binary(max_size=200))
def test_bytes_after_the_mark_never_do_more_than_fail(tail: bytes) -> None:
    content = png("L")[:33] + tail
    with contextlib.suppress(*BROKEN):
        assert decode(content, 3).shape == (4, 4)
