"""What the digest of a user's data promises: it changes with paths and contents, with nothing else, and is quick."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coralline import digestindex
from coralline.datafolder import digest, file_digest
from coralline.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

NOBODY = 65534

Tree = dict[tuple[str, str, str], bytes]

names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8).filter(
    lambda name: not name.startswith(".")
)
trees = st.dictionaries(st.tuples(names, names, names), st.binary(max_size=40), min_size=1, max_size=6).filter(
    lambda tree: len({(a, b.encode()) for a, b, _ in tree}) == len({(a, b) for a, b, _ in tree})
)


def plant(root: Path, tree: Tree) -> Path:
    for (split, name, file), content in tree.items():
        place = root / split / name / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return root


def fresh(tree: Tree) -> str:
    """The digest of a tree made in a new place with a new index."""
    with tempfile.TemporaryDirectory() as place:
        return digest(plant(Path(place, "data"), tree), Path(place, "index.sqlite"))


def age(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the files of `root` be older than the two seconds in which nothing is trusted."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 5_000_000_000)
    assert root.exists()


class Counter:
    def __init__(self) -> None:
        self.read = 0

    def __call__(self, done: int, total: int) -> None:
        assert 0 < done <= total
        self.read = total


@pytest.fixture
def data(tmp_path: Path) -> Path:
    tree = {
        ("train", "a", "1.png"): b"one",
        ("train", "b", "2.png"): b"two",
        ("test", "a", "3.png"): b"three",
        ("test", "b", "4.png"): b"four",
    }
    return plant(tmp_path / "data", tree)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return tmp_path / "store" / "index.sqlite"


@settings(max_examples=40, deadline=None)
@given(trees, st.randoms())
def test_the_order_in_which_files_are_made_is_irrelevant(tree: Tree, random: Random) -> None:
    shuffled = list(tree.items())
    random.shuffle(shuffled)
    assert fresh(tree) == fresh(dict(shuffled))


@settings(max_examples=40, deadline=None)
@given(trees, trees)
def test_two_folders_have_one_digest_only_if_paths_and_contents_agree(one: Tree, other: Tree) -> None:
    assert (fresh(one) == fresh(other)) == (one == other)


@settings(max_examples=40, deadline=None)
@given(trees, st.data())
def test_a_change_of_one_file_is_seen_through_the_index(tree: Tree, draws: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        root, index = plant(Path(place, "data"), tree), Path(place, "index.sqlite")
        before = digest(root, index)
        changed = draws.draw(st.sampled_from(sorted(tree)))
        tree[changed] += b"x"
        plant(root, {changed: tree[changed]})
        after = digest(root, index)
        assert before != after == fresh(tree)
        root.joinpath(*changed).rename(root.joinpath(*changed[:2], "renamed by the test"))
        assert digest(root, index) not in {before, after}


def test_the_digest_is_that_of_the_documented_preimage(data: Path, index: Path) -> None:
    # Changing the encoding makes every known data set new: the version in it must then change too.
    assert digest(data, index) == "df458c7fac0eb02acf36a710e9c4e5ffc457579dcd857edc4f0edb08fd33bc1d"


def test_a_second_look_reads_nothing(data: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    age(data, monkeypatch)
    first, second = Counter(), Counter()
    assert digest(data, index, first) == digest(data, index, second)
    assert (first.read, second.read) == (4, 0)


def test_only_what_changed_is_read_again(data: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    age(data, monkeypatch)
    digest(data, index)
    (data / "test" / "b" / "4.png").write_bytes(b"FOUR")
    again = Counter()
    digest(data, index, again)
    assert again.read == 1


def test_a_file_touched_just_now_is_not_trusted(data: Path, index: Path) -> None:
    again = Counter()
    digest(data, index)
    digest(data, index, again)
    assert again.read == 4


def test_a_change_with_size_and_modification_time_restored_is_seen(
    data: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(data, monkeypatch)
    before = digest(data, index)
    file = data / "train" / "a" / "1.png"
    status = file.stat()
    file.write_bytes(b"eno")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert digest(data, index) != before


def test_a_folder_that_moves_keeps_its_digest(data: Path, index: Path) -> None:
    before = digest(data, index)
    assert digest(data.rename(data.with_name("elsewhere")), index) == before


def test_an_empty_class_folder_is_a_change(data: Path, index: Path) -> None:
    before = digest(data, index)
    (data / "train" / "c").mkdir()
    assert digest(data, index) != before


@pytest.mark.parametrize(
    "path", ["README.md", ".hidden", "train/.DS_Store", "train/a/.x.png", ".git/objects/file", "train/note"]
)
def test_what_the_dataset_stage_does_not_see_does_not_count(data: Path, index: Path, path: str) -> None:
    before = digest(data, index)
    (data / path).parent.mkdir(parents=True, exist_ok=True)
    (data / path).write_text("something")
    assert digest(data, index) == before


@pytest.mark.parametrize("damage", ["garbage", "cut", "empty", "flip", "folder"])
def test_a_damaged_index_costs_time_and_nothing_else(
    data: Path, index: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    age(data, monkeypatch)
    before = digest(data, index)
    content = bytearray(index.read_bytes())
    if damage == "garbage":
        index.write_bytes(b"not a database" * 1000)
    elif damage == "cut":
        index.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        index.write_bytes(b"")
    elif damage == "flip":
        place = content.find(b'"train/a/1.png"') + 40
        content[place] ^= 1
        index.write_bytes(content)
    else:
        index.unlink()
        index.mkdir()
    assert digest(data, index) == before
    again = Counter()
    assert digest(data, index, again) == before
    assert again.read == (4 if damage == "folder" else 0)


def test_runs_at_the_same_time_agree(data: Path, index: Path) -> None:
    results: list[str] = []
    runs = [threading.Thread(target=lambda: results.append(digest(data, index))) for _ in range(8)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(results) == 8
    assert len(set(results)) == 1


def test_an_index_locked_by_another_process_is_done_without(
    data: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digestindex, "PATIENCE_S", 0.1)
    before = digest(data, index)
    with digestindex.DigestIndex(index, "/elsewhere") as other:
        assert other._connection is not None
        other._connection.execute("BEGIN EXCLUSIVE")
        assert digest(data, index) == before


def test_a_zip_file_is_digested_by_content_not_by_name(tmp_path: Path, index: Path) -> None:
    one = tmp_path / "one.zip"
    with zipfile.ZipFile(one, "w") as archive:
        archive.writestr("train/a/1.png", b"x")
    before = digest(one, index)
    assert digest(one.rename(tmp_path / "two.zip"), index) == before


def test_two_zip_files_side_by_side_keep_each_its_place_in_the_index(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(tmp_path, monkeypatch)
    for name in ("one", "two"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("train/a/1.png", name)
        digest(tmp_path / name, index)
    again = Counter()
    assert digest(tmp_path / "one", index, again) != digest(tmp_path / "two", index, again)
    assert again.read == 0


def test_zip_files_in_a_folder_count(tmp_path: Path, index: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.zip").write_bytes(b"PK\x03\x04")
    before = digest(tmp_path / "data", index)
    (tmp_path / "data" / "test.zip").write_bytes(b"PK\x03\x04")
    assert digest(tmp_path / "data", index) != before


def test_a_link_inside_the_folder_is_its_target(data: Path, index: Path) -> None:
    (data / "train" / "a" / "copy.png").write_bytes(b"two")
    before = digest(data, index)
    (data / "train" / "a" / "copy.png").unlink()
    (data / "train" / "a" / "copy.png").symlink_to("../b/2.png")
    assert digest(data, index) == before


@pytest.mark.parametrize("target", ["/etc/hostname", "../../../outside", "/etc"])
def test_a_link_that_leaves_the_folder_is_refused(data: Path, index: Path, target: str) -> None:
    (data.parent / "outside").write_text("outside")
    (data / "train" / "a" / "link.png").symlink_to(target)
    with pytest.raises(ProfileError, match=r"'.*link\.png' is a link that leads out of the data folder"):
        digest(data, index)


def test_a_broken_link_is_named(data: Path, index: Path) -> None:
    (data / "train" / "a" / "link.png").symlink_to("nowhere.png")
    with pytest.raises(ProfileError, match=r"link\.png' cannot be read: No such file"):
        digest(data, index)


def test_missing_data_is_an_error_with_a_remedy(tmp_path: Path, index: Path) -> None:
    with pytest.raises(ProfileError, match=r"no such data: '.*nowhere'") as caught:
        digest(tmp_path / "nowhere", index)
    assert "train" in caught.value.hint


def test_an_empty_folder_is_an_error(tmp_path: Path, index: Path) -> None:
    (tmp_path / "train" / "a").mkdir(parents=True)
    with pytest.raises(ProfileError, match="has no images"):
        digest(tmp_path, index)


def test_a_file_that_is_no_zip_file_is_an_error(data: Path, index: Path) -> None:
    with pytest.raises(ProfileError, match="neither a folder nor a zip file"):
        digest(data / "train" / "a" / "1.png", index)


def test_a_pipe_is_an_error_and_is_not_opened(tmp_path: Path, index: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ProfileError, match="neither a folder nor a file"):
        digest(tmp_path / "pipe", index)


def as_nobody(action: Callable[[], object]) -> str:
    """Run an action as a user who may read nothing by right, as root may, and return its error message."""

    def child() -> None:
        if os.getuid() == 0:
            os.setuid(NOBODY)
        try:
            action()
        except ProfileError as error:
            send.send(error.message)

    receive, send = multiprocessing.get_context("fork").Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    send.close()
    try:
        return str(receive.recv())
    finally:
        process.join()


@pytest.mark.parametrize("place", ["train/a/1.png", "train/b", "."])
def test_what_cannot_be_read_is_named(index: Path, place: str) -> None:
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path, which lies in folders that are closed to others
        Path(folder).chmod(0o755)
        data = plant(Path(folder, "data"), {("train", "a", "1.png"): b"one", ("train", "b", "2.png"): b"two"})
        digest(data, index)  # imports what is needed: root's interpreter may be closed to others
        (data / place).chmod(0)
        message = as_nobody(lambda: digest(data, Path("/nonexistent/index")))
        (data / place).chmod(0o755)
    assert message == f"the data at '{data / place}' cannot be read: Permission denied"


def test_importing_it_is_cheap() -> None:
    program = (
        "import sys, coralline.datafolder; print([m for m in ('concurrent.futures', 'logging') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_weights_are_one_file_of_any_kind(tmp_path: Path) -> None:
    weights = tmp_path / "weights.h5"
    weights.write_bytes(b"not a zip file")
    expected = hashlib.sha256(b"not a zip file").hexdigest()
    assert [file_digest(weights, tmp_path / "index.sqlite") for _ in range(2)] == [expected] * 2
    with pytest.raises(ProfileError, match="is not a file"):
        file_digest(tmp_path, tmp_path / "index.sqlite")
