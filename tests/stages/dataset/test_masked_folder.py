"""The dataset stage with images and masks of the user's: what is indexed, and what is named as wrong."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from step import dataset_step

from stages.contract import InputError
from stages.dataset import __main__ as stage
from stages.masks import Masks
from stages.tasks import task_of

if TYPE_CHECKING:
    from pathlib import Path

    from stages.contract import Step


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three training and two test images with masks of 0 and 255."""
    rng = np.random.default_rng(1)
    for split, count in (("train", 3), ("test", 2)):
        for number in range(count):
            for kind, shape in (("images", (6, 8, 3)), ("masks", (6, 8))):
                place = tmp_path / "data" / kind / split / f"{number}.png"
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(png(255 * rng.integers(0, 2, shape)))
    return tmp_path / "data"


def make(tmp_path: Path, data: Path, **values: Any) -> Step:
    step = dataset_step(tmp_path / "step", source="folder", data=data, **values)
    stage.main(step)
    return step


def fails(tmp_path: Path, data: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        make(tmp_path, data)
    assert caught.value.remedy
    return caught.value


def test_images_and_masks_are_indexed_and_stay_where_they_are(tmp_path: Path, data: Path) -> None:
    step = make(tmp_path, data)
    told = json.loads((step.out / "dataset.json").read_text())
    assert (told["classes"], told["size"], told["images"]) == (["image"], [6, 8], "data")
    assert told["splits"] == {"train": {"image": 3}, "test": {"image": 2}}
    with (step.out / "masks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["path"], rows[0]["mask"]) == ("images/test/0.png", "masks/test/0.png")
    assert not (step.out / "images").exists()


def test_what_is_not_0_is_sought(tmp_path: Path, data: Path) -> None:
    step = make(tmp_path, data)
    step.inputs["dataset"] = step.out
    task = task_of("unet447", step)
    assert task.classes == ("other", "sought")
    row = task.images.rows("train")[0]
    mask = np.asarray(Image.open(data / "masks" / "train" / "0.png").resize((8, 8), Image.Resampling.NEAREST))
    assert (task.truth(row, 8)[..., 0] == (mask > 0)).all()


@pytest.mark.parametrize("size", [1, 3, 5, 7, 8])
def test_a_line_of_one_pixel_stays_in_a_smaller_mask(tmp_path: Path, data: Path, size: int) -> None:
    lines = {f"{way}{place}": (way, place) for way, count in (("row", 6), ("column", 8)) for place in range(count)}
    for name, (way, place) in lines.items():
        mask = np.zeros((6, 8))
        mask[place if way == "row" else slice(None), place if way == "column" else slice(None)] = 255
        (data / "images" / "train" / f"{name}.png").write_bytes((data / "images" / "train" / "0.png").read_bytes())
        (data / "masks" / "train" / f"{name}.png").write_bytes(png(mask))
    step = make(tmp_path, data)
    step.inputs["dataset"] = step.out
    masks = Masks.read(step)
    for row in task_of("unet447", step).images.rows("train"):
        name = row.path.split("/")[-1].removesuffix(".png")
        if name in lines:
            way, place = lines[name]
            found, length = masks.load(row, size), 6 if way == "row" else 8
            across = found.any(axis=1 if way == "row" else 0)
            assert found.sum() == size * across.sum()  # whole lines
            assert across[(2 * place + 1) * size // (2 * length)] or size > length
            assert across.sum() == 1 or (size > length and across.any())


def test_an_image_without_a_mask_is_named(tmp_path: Path, data: Path) -> None:
    (data / "masks" / "train" / "1.png").unlink()
    assert "images/train/1.png: it has no mask" in fails(tmp_path, data).message


def test_bad_ones_can_be_left_out(tmp_path: Path, data: Path) -> None:
    (data / "masks" / "train" / "1.png").write_bytes(b"no image")
    step = make(tmp_path, data, on_bad_image="skip")
    told = json.loads((step.out / "dataset.json").read_text())
    assert told["splits"]["train"] == {"image": 2}
    assert [one["path"] for one in told["skipped"]] == ["images/train/1.png"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (png(np.ones((6, 8, 3))), "expected 8-bit greyscale"),
        (png(np.ones((8, 6))), "the image 8 x 6"),
        (png(np.ones((6, 8)))[:-30], "its mask cannot be used"),
        (b"", "not a PNG"),
    ],
)
def test_a_mask_that_cannot_be_used_is_named(tmp_path: Path, data: Path, content: bytes, reason: str) -> None:
    (data / "masks" / "test" / "1.png").write_bytes(content)
    message = fails(tmp_path, data).message
    assert "images/test/1.png" in message
    assert reason in message


def test_a_split_is_missed(tmp_path: Path, data: Path) -> None:
    for kind in ("images", "masks"):
        (data / kind / "test").rename(data / kind / "val")
    assert "'images/test', 'masks/test'" in fails(tmp_path, data).message


def test_nothing_to_find_is_told(tmp_path: Path, data: Path) -> None:
    for place in (data / "masks" / "test").iterdir():
        place.write_bytes(png(np.zeros((6, 8))))
    assert "no mask of the test split" in fails(tmp_path, data).message


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, data: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(np.ones((6, 8))))
    (data / "masks" / "train" / "2.png").unlink()
    (data / "masks" / "train" / "2.png").symlink_to(secret)
    assert "leads out of the data folder" in fails(tmp_path, data).message


def test_masks_without_an_image_are_ignored_and_said_to_be(tmp_path: Path, data: Path) -> None:
    (data / "masks" / "train" / "odd.png").write_bytes(png(np.ones((6, 8))))
    step = make(tmp_path, data)
    assert "masks/train/odd.png" in step.events.getvalue()  # type: ignore[attr-defined]
