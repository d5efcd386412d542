"""The dataset stage with images of the user's: what is indexed, what is named as wrong, and that nothing is touched."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from step import dataset_step

from stages.contract import InputError
from stages.dataset import __main__ as stage
from stages.dataset import folder, png

if TYPE_CHECKING:
    from pathlib import Path

    from stages.contract import Step

Tree = dict[str, bytes]


def picture(number: int, size: tuple[int, int] = (8, 6), mode: str = "RGB") -> bytes:
    """Return a PNG whose pixels differ for each number."""
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def tree() -> Tree:
    places = [
        f"{split}/{name}/{number}.png" for split in ("train", "test") for name in ("b", "a") for number in range(3)
    ]
    return {place: picture(number) for number, place in enumerate(places)}


def plant(root: Path, tree: Tree) -> Path:
    for path, content in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def pack(path: Path, tree: Tree, prefix: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in tree.items():
            file.writestr(prefix + name, content)
    return path


def make(tmp_path: Path, data: Path, **values: Any) -> Step:
    step = dataset_step(tmp_path / "step", source="folder", data=data, **values)
    stage.main(step)
    return step


def fails(tmp_path: Path, data: Path, **values: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        make(tmp_path, data, **values)
    assert caught.value.remedy
    return caught.value


def rows(step: Step) -> list[dict[str, str]]:
    with (step.out / "images.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read(step: Step, name: str) -> Any:
    return json.loads((step.out / name).read_text(encoding="utf-8"))


def warnings(step: Step) -> list[str]:
    events = [json.loads(line) for line in step.events.getvalue().splitlines()]  # type: ignore[attr-defined]
    return [event["message"] for event in events if event["event"] == "warning"]


def test_a_folder_is_indexed_and_not_copied(tmp_path: Path, tree: Tree) -> None:
    step = make(tmp_path, plant(tmp_path / "data", tree))
    assert read(step, "dataset.json") == {
        "schema": "coralline.dataset",
        "version": 1,
        "source": "folder",
        "classes": ["a", "b"],
        "size": [6, 8],
        "splits": {"test": {"a": 3, "b": 3}, "train": {"a": 3, "b": 3}},
        "images": "data",
        "skipped": [],
    }
    assert sorted(path.name for path in step.out.iterdir()) == ["dataset.json", "images.csv", "record.json"]
    assert [row["path"] for row in rows(step)] == sorted(tree)
    assert {(row["class"], row["label"]) for row in rows(step)} == {("a", "0"), ("b", "1")}
    assert all(row["sha256"] == hashlib.sha256(tree[row["path"]]).hexdigest() for row in rows(step))
    assert warnings(step) == []


def test_the_number_of_threads_changes_nothing(tmp_path: Path, tree: Tree) -> None:
    data = plant(tmp_path / "data", tree)
    one, four = make(tmp_path / "one", data), make(tmp_path / "four", data, threads=4)
    for name in ("images.csv", "dataset.json"):
        assert (one.out / name).read_bytes() == (four.out / name).read_bytes()


def test_the_users_folder_is_not_touched(tmp_path: Path, tree: Tree) -> None:
    data = plant(tmp_path / "data", {**tree, "train/a/bad.png": b"bad"})
    before = {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in data.rglob("*")}
    make(tmp_path, data, on_bad_image="skip")
    assert before == {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in data.rglob("*")}


def test_bad_images_are_all_named_with_the_reason_and_the_remedy(tmp_path: Path, tree: Tree) -> None:
    tree["train/a/0.png"] = tree["train/a/0.png"][:-30]
    tree["train/b/0.png"] = picture(50, mode="L")
    tree["test/b/0.png"] = picture(51, size=(9, 6))
    error = fails(tmp_path, plant(tmp_path / "data", tree))
    assert error.message == (
        "3 of 12 images cannot be used\n"
        "  test/b/0.png: 9 x 6 pixels, most images have 8 x 6\n"
        "  train/a/0.png: truncated: the file ends before the image does\n"
        "  train/b/0.png: expected 8-bit RGB, found 8-bit greyscale"
    )
    assert "`--on-bad-image skip`" in error.remedy


def test_of_many_bad_images_twenty_are_named_and_the_rest_counted(tmp_path: Path, tree: Tree) -> None:
    tree.update({f"train/a/bad{number:02}.png": b"bad" for number in range(25)})
    lines = fails(tmp_path, plant(tmp_path / "data", tree)).message.splitlines()
    assert len(lines) == 22
    assert lines[-1] == "  and 5 more"


def test_bad_images_are_left_out_and_counted_when_asked(tmp_path: Path, tree: Tree) -> None:
    data = plant(tmp_path / "data", {**tree, "train/a/bad.png": b"bad"})
    step = make(tmp_path, data, on_bad_image="skip")
    assert read(step, "dataset.json")["skipped"] == [{"path": "train/a/bad.png", "reason": "not a PNG image"}]
    assert [row["path"] for row in rows(step)] == sorted(tree)
    numbers = {number["metric"]: number["value"] for number in read(step, "record.json")["numbers"]}
    assert numbers["skipped_images"] == 1
    assert warnings(step) == ["left out, because they cannot be used (1): 'train/a/bad.png'"]


def test_a_class_that_loses_all_its_images_stops_the_run(tmp_path: Path, tree: Tree) -> None:
    tree.update({f"test/a/{number}.png": b"bad" for number in range(3)})
    error = fails(tmp_path, plant(tmp_path / "data", tree), on_bad_image="skip")
    assert error.message == "class 'a' has no usable image in 'test'"


def test_a_set_without_any_good_image_is_named_as_such(tmp_path: Path, tree: Tree) -> None:
    error = fails(tmp_path, plant(tmp_path / "data", dict.fromkeys(tree, b"text")), on_bad_image="skip")
    assert error.message.startswith("none of the 12 images can be used: not a PNG image")


@pytest.mark.parametrize(
    ("remove", "add", "message"),
    [
        ("test/", {}, "the data has no folder 'test': found 'train'"),
        ("t", {}, "the data has no folder 'train', 'test': it has no folders"),
        ("t", {"Train/a/1.png": b"", "Test/a/1.png": b""}, "found 'Test', 'Train'"),
        ("test/b/", {}, "class 'b' is in 'train' but not in 'test'"),
        ("train/b/", {}, "class 'b' is in 'test' but not in 'train'"),
        ("t", {"train/a/1.png": b"", "test/a/1.png": b""}, "fewer than two classes: found 'a'"),
        ("", {"val/c/1.png": b""}, "class 'c' is in 'val' but not in 'train'"),
        ("train/a/", {"train/a/1.gif": b""}, "class 'a' has no usable image in 'train' (found 'train/a/1.gif')"),
    ],
)
def test_a_wrong_layout_is_named(tmp_path: Path, tree: Tree, remove: str, add: Tree, message: str) -> None:
    kept = {path: content for path, content in tree.items() if not remove or not path.startswith(remove)}
    (tmp_path / "data").mkdir()
    assert message in fails(tmp_path, plant(tmp_path / "data", {**kept, **add})).message


def test_data_one_folder_too_high_is_pointed_out(tmp_path: Path, tree: Tree) -> None:
    plant(tmp_path / "data" / "events", tree)
    assert fails(tmp_path, tmp_path / "data").remedy == "give its folder 'events' as the data"


def test_an_empty_class_folder_is_named(tmp_path: Path, tree: Tree) -> None:
    data = plant(tmp_path / "data", tree)
    (data / "train" / "c").mkdir()
    (data / "test" / "c").mkdir()
    assert fails(tmp_path, data).message == "class 'c' has no usable image in 'train'"


def test_validation_and_calibration_splits_are_indexed_too(tmp_path: Path, tree: Tree) -> None:
    tree.update({"val/a/1.png": picture(90), "calib/b/1.png": picture(91)})
    splits = read(make(tmp_path, plant(tmp_path / "data", tree)), "dataset.json")["splits"]
    assert splits["val"] == {"a": 1, "b": 0}
    assert splits["calib"] == {"a": 0, "b": 1}


def test_what_is_no_image_is_ignored_aloud_and_what_is_hidden_silently(tmp_path: Path, tree: Tree) -> None:
    extra = ["README.md", "metadata.csv", "train/list.txt", "train/a/x.gif", "train/a/deep/y.png", "other/a/z.png"]
    hidden = [".git/a/b", "train/.DS_Store", "train/a/._0.png", "train/.cache/x.png"]
    data = plant(tmp_path / "data", {**tree, **dict.fromkeys(extra + hidden, b"")})
    step = make(tmp_path, data)
    assert [row["path"] for row in rows(step)] == sorted(tree)
    assert warnings(step) == [
        "ignored, because they are no images of a class (4): 'other', 'train/a/deep', 'train/a/x.gif' and 1 more"
    ]


def test_the_ending_may_be_in_capitals(tmp_path: Path, tree: Tree) -> None:
    step = make(tmp_path, plant(tmp_path / "data", {**tree, "train/a/9.PNG": picture(9)}))
    assert "train/a/9.PNG" in {row["path"] for row in rows(step)}


def test_copies_in_train_and_test_are_reported_as_a_leak(tmp_path: Path, tree: Tree) -> None:
    tree["test/a/copy.png"] = tree["train/a/0.png"]
    step = make(tmp_path, plant(tmp_path / "data", tree))
    assert warnings(step) == ["in more than one split, byte for byte (1): 'test/a/copy.png = train/a/0.png'"]
    assert read(step, "record.json")["facts"]["leaks"] == 1


def test_copies_in_two_classes_are_reported(tmp_path: Path, tree: Tree) -> None:
    tree["train/b/copy.png"] = tree["train/a/0.png"]
    step = make(tmp_path, plant(tmp_path / "data", tree))
    assert warnings(step) == ["in more than one class, byte for byte (1): 'train/a/0.png = train/b/copy.png'"]


def test_of_two_sizes_equally_frequent_the_larger_one_counts(tmp_path: Path, tree: Tree) -> None:
    for path in sorted(tree)[::2]:
        tree[path] = picture(len(path), size=(7, 5))
    assert fails(tmp_path, plant(tmp_path / "data", tree)).message.count("7 x 5 pixels, most images have 8 x 6") == 6


def test_many_classes_are_welcome(tmp_path: Path) -> None:
    tree = {f"{split}/c{name:03}/1.png": picture(name) for split in ("train", "test") for name in range(40)}
    step = make(tmp_path, plant(tmp_path / "data", tree))
    assert read(step, "dataset.json")["classes"] == [f"c{name:03}" for name in range(40)]


@pytest.mark.parametrize("name", ["new\nline.png", "back\\slash.png", os.fsdecode(b"latin\xe9.png"), "bell\a.png"])
def test_a_name_that_a_table_cannot_hold_is_a_bad_image(tmp_path: Path, tree: Tree, name: str) -> None:
    error = fails(tmp_path, plant(tmp_path / "data", {**tree, f"train/a/{name}": picture(77)}))
    assert "the name has characters that are not portable" in error.message
    assert len(error.message.splitlines()) == 2
    error.message.encode("utf-8")


def test_names_with_commas_quotes_and_umlauts_are_kept(tmp_path: Path, tree: Tree) -> None:
    name = 'train/a/größe, "8".png'
    step = make(tmp_path, plant(tmp_path / "data", {**tree, name: picture(77)}))
    assert name in {row["path"] for row in rows(step)}


@pytest.mark.parametrize("place", ["train/a/link.png", "train/c", "val"])
def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path, tree: Tree, place: str) -> None:
    data = plant(tmp_path / "data", tree)
    (data / place).symlink_to("/etc/hostname" if place.endswith("png") else "/etc")
    assert fails(tmp_path, data).message == f"'{place}' is a link that leads out of the data folder"


def test_a_link_within_the_folder_is_its_target(tmp_path: Path, tree: Tree) -> None:
    data = plant(tmp_path / "data", {**tree, "pool/1.png": picture(60)})
    (data / "train" / "a" / "link.png").symlink_to("../../pool/1.png")
    assert "train/a/link.png" in {row["path"] for row in rows(make(tmp_path, data))}


def test_pipes_and_folders_named_like_images_are_not_opened(tmp_path: Path, tree: Tree) -> None:
    data = plant(tmp_path / "data", tree)
    os.mkfifo(data / "train" / "a" / "pipe.png")
    (data / "train" / "b" / "broken.png").symlink_to("nowhere.png")
    error = fails(tmp_path, data)
    assert "train/a/pipe.png: not a regular file" in error.message
    assert "train/b/broken.png: not a regular file" in error.message


def test_a_file_that_vanishes_or_is_closed_is_a_bad_image(tmp_path: Path) -> None:
    look = folder._look_at(tmp_path, folder.Place("train", "a", "train/a/gone.png"))
    assert look.reason == "cannot be read: No such file or directory"


def test_missing_data_is_an_error(tmp_path: Path) -> None:
    assert fails(tmp_path, tmp_path / "nowhere").message == "the data cannot be read"


def test_a_file_larger_than_any_image_is_not_read_whole(
    tmp_path: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(png, "MAX_BYTES", 1000)
    data = plant(tmp_path / "data", {**tree, "train/a/large.png": bytes(5000)})
    assert "train/a/large.png: larger than 1000 bytes" in fails(tmp_path, data).message
