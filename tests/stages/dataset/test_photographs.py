"""Photographs in ImageNet's layout: any size and colours, `val` as the test split, and what is refused."""

from __future__ import annotations

import contextlib
import io
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_dataset_folder import fails, make, pack, picture, plant, rows

from stages import photographs
from stages.images import BROKEN, ImageSet

if TYPE_CHECKING:
    from pathlib import Path

    from test_dataset_folder import Tree

COLOUR = (200, 40, 90)


def photograph(size: tuple[int, int] = (20, 13), mode: str = "RGB", kind: str = "JPEG") -> bytes:
    """Return an image of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, COLOUR).convert(mode).save(file, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return file.getvalue()


def imagenet(classes: int = 2) -> Tree:
    """Return a folder as ImageNet has it, with what is odd in it: grey, CMYK, a PNG under a JPEG's name."""
    odd = [photograph(mode="L"), photograph(mode="CMYK"), photograph((9, 40), kind="PNG"), photograph((300, 200))]
    names = [f"n{1440764 + 7 * number:08d}" for number in range(classes)]
    return {
        f"{split}/{name}/{name}_{number}.JPEG": odd[(place + number) % len(odd)] + bytes([place % 256, number])
        for split, count in (("train", 2), ("val", 1))
        for place, name in enumerate(names)
        for number in range(count)
    }


def test_val_is_the_test_split_where_there_is_no_other(tmp_path: Path) -> None:
    step = make(tmp_path, plant(tmp_path / "data", imagenet()))
    told = json.loads((step.out / "dataset.json").read_text())
    assert told["splits"] == {name: {"n01440764": n, "n01440771": n} for name, n in (("train", 2), ("test", 1))}
    assert {row["path"].split("/")[0] for row in rows(step) if row["split"] == "test"} == {"val"}
    assert told["size"] is None
    assert "there is no split 'test' with classes: networks are tested on 'val'" in step.events.getvalue()  # type: ignore[attr-defined]


def test_a_flat_test_without_classes_counts_as_none_beside_val(tmp_path: Path) -> None:
    flat = {"test/ILSVRC2012_test_00000001.JPEG": photograph()}
    step = make(tmp_path, plant(tmp_path / "data", imagenet() | flat))
    assert {row["path"].split("/")[0] for row in rows(step) if row["split"] == "test"} == {"val"}
    told = step.events.getvalue()  # type: ignore[attr-defined]
    assert "there is no split 'test' with classes: networks are tested on 'val'" in told
    assert "'test/ILSVRC2012_test_00000001.JPEG'" in told


def test_val_stays_val_beside_a_test_split(tmp_path: Path) -> None:
    tree = imagenet()
    tree |= {path.replace("val/", "test/"): content for path, content in tree.items() if path.startswith("val/")}
    step = make(tmp_path, plant(tmp_path / "data", tree))
    assert {row["split"]: row["path"].split("/")[0] for row in rows(step)} == {
        one: one for one in ("train", "val", "test")
    }


def test_a_class_that_val_lacks_is_told_by_that_name(tmp_path: Path) -> None:
    tree = imagenet()
    del tree["val/n01440771/n01440771_0.JPEG"]
    tree["val/n01440771/notes.txt"] = b"x"
    told = fails(tmp_path, plant(tmp_path / "data", tree))
    assert "class 'n01440771' has no usable image in 'val'" in str(told)
    assert "val/n01440771" in told.remedy


def test_a_thousand_classes_are_indexed_and_not_measured_one_by_one(tmp_path: Path) -> None:
    step = make(tmp_path, plant(tmp_path / "data", imagenet(1000)))
    assert len(json.loads((step.out / "dataset.json").read_text())["classes"]) == 1000
    record = json.loads((step.out / "record.json").read_text())
    assert {one["metric"] for one in record["numbers"]} == {"images_per_second", "skipped_images"}


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_photograph_is_seen_in_its_colours(tmp_path: Path, mode: str) -> None:
    step = make(
        tmp_path,
        plant(
            tmp_path / "data", {path: photograph(mode=mode) + bytes([number]) for number, path in enumerate(imagenet())}
        ),
    )
    step.inputs["dataset"] = step.out
    images = ImageSet.read(step)
    pixels = images.load(images.rows("test")[0], 16)
    assert (pixels.shape, pixels.dtype) == ((16, 16, 3), np.uint8)
    expected = Image.new("RGB", (1, 1), COLOUR).convert(mode).convert("RGB").getpixel((0, 0))
    assert np.abs(pixels.astype(int) - expected).max() <= 3  # JPEG loses that much


def test_the_central_square_is_what_a_network_sees() -> None:
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[25:75, 125:175] = 255  # 32 / (32 + 32) of the shorter edge
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    assert photographs.decode(file.getvalue(), 32).min() == 255


def test_a_file_of_zip_archives_holds_photographs(tmp_path: Path) -> None:
    step = make(tmp_path, pack(tmp_path / "data.zip", imagenet()))
    assert len(rows(step)) == 6
    assert (step.out / "images" / rows(step)[0]["path"]).is_file()


def test_png_images_beside_photographs_still_share_a_size(tmp_path: Path) -> None:
    tree = imagenet() | {"train/n01440764/a.png": picture(1), "train/n01440764/b.png": picture(2, (5, 5))}
    told = fails(tmp_path, plant(tmp_path / "data", tree))
    assert "train/n01440764/a.png" in str(told) or "train/n01440764/b.png" in str(told)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (photograph()[:200], "damaged"),
        (b"not an image", "it is neither a JPEG nor a PNG image"),
        (photograph() + 501 * photographs.START_OF_SCAN, "more than 500 scans"),
        (photograph((8192, 4097), "L"), "are more than the"),
        (photograph(mode="1", kind="PNG"), "are not those of a photograph"),
    ],
)
def test_what_is_no_photograph_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    tree = imagenet() | {"train/n01440764/bad.jpg": content}
    told = fails(tmp_path, plant(tmp_path / "data", tree))
    assert "train/n01440764/bad.jpg" in str(told)
    assert reason in str(told)
    make(tmp_path / "again", tmp_path / "data", on_bad_image="skip")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_anywhere_ends_in_an_image_or_a_reason(data: st.DataObject) -> None:
    content = bytearray(photograph())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(*BROKEN):
        assert photographs.decode(bytes(content), 8).shape == (8, 8, 3)
