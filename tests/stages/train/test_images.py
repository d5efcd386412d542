"""The one road from images to networks: what is read, what is refused, and how samples are drawn."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from synthetic import make_dataset

from stages.contract import InputError, Step
from stages.images import MAX_PIXELS, ImageSet, Row, as_floats, quoted, stratified

if TYPE_CHECKING:
    from pathlib import Path

ROWS = st.lists(st.integers(0, 4), min_size=5, max_size=200).map(
    lambda labels: [Row(f"train/c{label}/{index}.png", label, "") for index, label in enumerate(labels)]
)


def read(folder: Path, data: Path | None = None) -> ImageSet:
    inputs = {"dataset": folder} if data is None else {"dataset": folder, "data": data}
    return ImageSet.read(Step("train", "train", {}, 1, inputs, folder, None))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "set", size=16, train=3, test=2)


def first(folder: Path) -> Path:
    images = read(folder)
    return images.root / images.rows("train")[0].path


def refusal(folder: Path) -> str:
    images = read(folder)
    with pytest.raises(InputError) as caught:
        images.load(images.rows("train")[0], 16)
    assert images.rows("train")[0].path in caught.value.message
    assert caught.value.remedy
    return caught.value.message


def test_rows_keep_the_order_of_images_csv(folder: Path) -> None:
    images = read(folder)
    assert [row.label for row in images.rows("train")] == [1, 1, 1, 0, 0, 0, 2, 2, 2]
    assert images.classes == ("cc_numu", "cc_nue", "nc")
    assert len(images.rows("test")) == 6


def test_an_image_of_the_right_size_arrives_byte_for_byte(folder: Path) -> None:
    images = read(folder)
    row = images.rows("train")[0]
    loaded = images.load(row, 16)
    assert loaded.dtype == np.uint8
    assert np.array_equal(loaded, np.asarray(Image.open(images.root / row.path)))


def test_another_size_is_resized_as_pillow_does_it(folder: Path) -> None:
    images = read(folder)
    row = images.rows("train")[0]
    with Image.open(images.root / row.path) as image:
        expected = np.asarray(image.resize((9, 9), Image.Resampling.BILINEAR))
    assert np.array_equal(images.load(row, 9), expected)


def test_floats_are_the_bytes_over_255_exactly() -> None:
    pixels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(as_floats(pixels), np.arange(256, dtype=np.float32) / np.float32(255))
    assert as_floats(pixels).dtype == np.float32


def test_a_folder_of_the_users_is_read_in_place(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "mine"
    (folder / "images").rename(data)
    told = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**told, "images": "data"}))
    images = read(folder, data)
    assert images.load(images.rows("test")[0], 16).shape == (16, 16, 3)
    with pytest.raises(InputError, match="not there"):
        read(folder)


def test_a_truncated_image_is_named(folder: Path) -> None:
    path = first(folder)
    path.write_bytes(path.read_bytes()[:-40])
    assert "truncated" in refusal(folder) or "cannot be used" in refusal(folder)


@pytest.mark.parametrize("keep", range(0, 200, 7))
def test_an_image_cut_anywhere_is_refused(folder: Path, keep: int) -> None:
    path = first(folder)
    path.write_bytes(path.read_bytes()[:keep])
    refusal(folder)


def test_a_missing_image_is_named(folder: Path) -> None:
    first(folder).unlink()
    assert "missing" in refusal(folder)


@pytest.mark.parametrize(("mode", "words"), [("L", "8-bit greyscale"), ("RGBA", "RGB with alpha"), ("P", "palette")])
def test_other_colours_than_rgb_are_refused(folder: Path, mode: str, words: str) -> None:
    path = first(folder)
    Image.open(path).convert(mode).save(path)
    assert words in refusal(folder)


def test_16_bit_rgb_is_refused_though_pillow_would_read_it(folder: Path) -> None:
    lines = b"".join(b"\0" + bytes(16 * 6) for _ in range(16))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines)),
        (b"IEND", b""),
    ]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks)
    assert Image.open(io.BytesIO(content)).mode == "RGB"
    first(folder).write_bytes(content)
    assert "16-bit RGB" in refusal(folder)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(folder: Path) -> None:
    edge = int(MAX_PIXELS**0.5) + 1
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", edge, edge, 8, 2, 0, 0, 0))
    first(folder).write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b""))
    assert "pixels are more than" in refusal(folder)


def test_another_format_under_the_name_of_a_png_is_refused(folder: Path) -> None:
    path = first(folder)
    Image.open(path).save(path, "JPEG")
    assert "not a PNG" in refusal(folder)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("place", ["../secret.png", "/etc/passwd", "a/../../b.png", "", "a\\b.png"])
def test_a_path_that_leaves_the_folder_is_refused(folder: Path, place: str) -> None:
    lines = (folder / "images.csv").read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([*cells[:3], place, cells[4]])
    (folder / "images.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match="leaves the data set's folder"):
        read(folder)


def test_a_link_that_leaves_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    path = first(folder)
    path.rename(tmp_path / "elsewhere.png")
    path.symlink_to(tmp_path / "elsewhere.png")
    assert "outside" in refusal(folder)


def test_a_split_without_one_class_names_it(folder: Path) -> None:
    lines = (folder / "images.csv").read_text().splitlines()
    (folder / "images.csv").write_text("\n".join(line for line in lines if not line.startswith("test,nc")) + "\n")
    with pytest.raises(InputError, match="the test split has no image of 'nc'"):
        read(folder).rows("test")


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "other"},
        {"version": 2},
        {"classes": ["one"]},
        {"classes": ["a", "a"]},
        {"classes": "abc"},
        {"classes": [1, 2]},
        {"images": "http"},
    ],
)
def test_a_malformed_description_is_refused(folder: Path, change: dict[str, object]) -> None:
    told = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**told, **change}))
    with pytest.raises(InputError, match=r"dataset\.json"):
        read(folder)


@pytest.mark.parametrize("content", ["", "[]", "{", "\0"])
def test_a_description_that_is_no_object_is_refused(folder: Path, content: str) -> None:
    (folder / "dataset.json").write_text(content)
    with pytest.raises(InputError, match=r"dataset\.json"):
        read(folder)


@pytest.mark.parametrize(
    "line",
    ["train,nc,2", "train,nc,1,a.png,00", "train,other,2,a.png,00", "train,nc,two,a.png,00", 'train,nc,2,"a.png,00'],
)
def test_a_malformed_line_is_refused(folder: Path, line: str) -> None:
    with (folder / "images.csv").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(InputError, match=r"images\.csv"):
        read(folder)


@pytest.mark.parametrize("content", [b"", b"split,class\n", b"\xff\xfe\n"])
def test_an_index_that_is_not_one_is_refused(folder: Path, content: bytes) -> None:
    (folder / "images.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"images\.csv"):
        read(folder)


@given(ROWS, st.floats(0.01, 0.5), st.integers(0, 2**31 - 1))
def test_a_share_is_taken_of_every_class(rows: list[Row], share: float, seed: int) -> None:
    drawn = stratified(rows, "validation", seed, share=share)
    sizes, taken = Counter(row.label for row in rows), Counter(row.label for row in drawn)
    assert taken == {label: max(1, round(size * share)) for label, size in sizes.items()}
    assert len(set(drawn)) == len(drawn)


@given(ROWS, st.integers(1, 300), st.integers(0, 2**31 - 1))
def test_a_count_is_met_in_proportion(rows: list[Row], count: int, seed: int) -> None:
    drawn = stratified(rows, "calibration", seed, count=count)
    assert len(drawn) == min(count, len(rows))
    taken = Counter(row.label for row in drawn)
    for label, size in Counter(row.label for row in rows).items():
        assert abs(taken[label] - len(drawn) * size / len(rows)) < 1


def test_fewer_images_than_classes_are_not_those_of_the_first_classes() -> None:
    rows = [Row(f"train/n{label:08}/{index}.JPEG", label, "") for label in range(1000) for index in range(3)]
    labels = [row.label for row in stratified(rows, "calibration", 1, count=200)]
    assert len(set(labels)) == 200
    assert 440 < np.mean(labels) < 560  # sigma is 18: the mean of 200 of 0..999, drawn without repetition
    assert set(labels) != {row.label for row in stratified(rows, "calibration", 2, count=200)}


@given(ROWS, st.integers(0, 2**31 - 1), st.randoms())
def test_a_draw_depends_on_paths_and_seed_alone(rows: list[Row], seed: int, random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert stratified(rows, "validation", seed, share=0.3) == stratified(shuffled, "validation", seed, share=0.3)


def test_purposes_and_seeds_draw_independently() -> None:
    rows = [Row(f"{index}.png", 0, "") for index in range(1000)]
    draws = [set(stratified(rows, *what, count=100)) for what in (("a", 1), ("b", 1), ("a", 2))]
    assert all(len(one & other) < 30 for one in draws for other in draws if one is not other)  # 10 expected, sigma 3


def test_a_draw_without_a_size_is_a_mistake() -> None:
    with pytest.raises(TypeError):
        stratified([Row("a", 0, "")], "calibration", 1)


def test_long_lists_are_cut_with_a_count() -> None:
    assert quoted(["a", "b"]) == "'a', 'b'"
    assert quoted(list("abcde")) == "'a', 'b', 'c' and 2 more"
