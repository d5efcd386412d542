from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from bundles import RUN, Sample, members_of

from coralline import runs
from coralline.bundle import documents
from coralline.bundle.contents import gather
from coralline.bundle.reader import Bundle
from coralline.errors import ArtifactError, NothingToDoError, ProfileError

# These change when a bundle's form does: then the version in its manifest must too, as readers derive its documents.
GOLDEN = {
    True: "a90f3a7cc2bfacf947f69fa750c1571b65812bf3d705a69fb389e32b08c11184",
    False: "db85049e7f470a831b9d6d6da0abcbc3e4c562f7855c69e2841337d61a06cfd7",
}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_bundle_is_the_same_bytes_at_other_times_in_other_places_under_another_mask(
    sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sample.bundle(tmp_path / "first.zip")
    shutil.copytree(sample.root, tmp_path / "elsewhere" / "copy")
    for path in (tmp_path / "elsewhere").rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    os.umask(0o077)
    second = Sample(tmp_path / "elsewhere" / "copy", sample.keys).bundle(Path("second.zip"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("outputs", [True, False])
def test_a_bundle_has_the_form_of_its_version(tmp_path: Path, outputs: bool) -> None:
    made = Sample(tmp_path / "store").make().bundle(tmp_path / "it.zip", outputs=outputs)
    assert digest(made) == GOLDEN[outputs]


def test_nothing_in_a_bundle_names_a_place(sample: Sample, tmp_path: Path) -> None:
    content = sample.bundle(tmp_path / "it.zip").read_bytes()
    for place in (b"/home/", b"/srv/", os.fsencode(tmp_path), os.fsencode(Path.cwd())):
        assert place not in content


def test_what_is_read_is_what_was_bundled(sample: Sample, tmp_path: Path) -> None:
    with Bundle(sample.bundle(tmp_path / "it.zip")) as bundle:
        there = runs.load(sample.root, RUN)
        assert (bundle.run.id, bundle.run.steps, bundle.run.ended) == (there.id, there.steps, there.ended)
        assert bundle.run.log("one").read_bytes().startswith(b'File "stages/one/__main__.py"')
        assert bundle.keys == tuple(sorted(sample.keys.values()))
        assert bundle.find("0" * 64) is None
        for key in bundle.keys:
            found, original = bundle.find(key), sample.store.find(key)
            assert found is not None
            assert original is not None
            assert (found.key, found.digest, found.record) == (original.key, original.digest, original.record)
            assert tree(found.path) == tree(original.path)
        folder = found.path
    assert not folder.exists()


def test_records_without_outputs_have_no_folder(sample: Sample, tmp_path: Path) -> None:
    with Bundle(sample.bundle(tmp_path / "it.zip", outputs=False)) as bundle:
        found = bundle.find(sample.keys["one"])
        assert found is not None
        assert not found.path.exists()
        assert not bundle.has_outputs(found.key)
        assert bundle.files(found.key).keys() == {"out.json", "images/a b.png"}


def test_the_run_is_told_without_folders_and_in_its_order(sample: Sample, tmp_path: Path) -> None:
    with Bundle(sample.bundle(tmp_path / "it.zip")) as bundle:
        assert bundle.run.request["profile"] == "mine.toml"
        assert list(bundle.run.steps) == ["one", "two", "compile"]


def test_an_artifact_that_was_removed_or_damaged_is_named(sample: Sample, tmp_path: Path) -> None:
    (sample.root / "objects" / sample.keys["two"] / "out.json").write_bytes(b'{"x": 2}')
    with pytest.raises(ArtifactError, match=r"out\.json of the artifact .* is not what its list of files says"):
        sample.bundle(tmp_path / "it.zip")
    shutil.rmtree(sample.root / "objects" / sample.keys["two"])
    with pytest.raises(ArtifactError, match="two: its artifact is not in the store any more"):
        sample.bundle(tmp_path / "it.zip")
    assert list(tmp_path.iterdir()) == [sample.root]


def test_a_run_that_finished_nothing_cannot_be_bundled(sample: Sample) -> None:
    run = runs.start(sample.root, {"profile": "quick"})
    run.save()
    with pytest.raises(NothingToDoError):
        gather(run, sample.store, outputs=False, version="0")


def test_what_is_no_file_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(ProfileError):
        Bundle(tmp_path / "none.zip")
    with pytest.raises(ProfileError):
        Bundle(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ProfileError, match="is not a file"):
        Bundle(tmp_path / "pipe")
    (tmp_path / "empty.zip").touch()
    with pytest.raises(ArtifactError, match="this is no bundle"):
        Bundle(tmp_path / "empty.zip")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (b"/srv/x/stages/train/__main__.py:3", b"stages/train/__main__.py:3"),
        (b'"/a/b/.coralline/environments/t/lib/python3.11/x.py"', b'"lib/python3.11/x.py"'),
        (b"in /a/building/" + b"0" * 64 + b"/model", b"in building/" + b"0" * 64 + b"/model"),
        (b"/home/ada/notes", b"notes"),
        (b"https://example.org/a/b 1/2 a/b", b"https://example.org/a/b 1/2 a/b"),
        (b"\xff\xfe \0", b"\xff\xfe \0"),
    ],
)
def test_logs_are_told_from_where_the_project_and_the_store_begin(written: bytes, told: bytes) -> None:
    assert documents.log(written) == told
    assert documents.log(told) == told


def test_the_reason_of_a_failed_step_is_told_as_logs_are() -> None:
    failed = {"state": "failed", "reason": "no room: /home/ada/store/objects/" + "a" * 64 + "/x", "key": None}
    told = documents.run({"request": {}, "steps": {"one": failed}})
    assert told["steps"]["one"]["reason"] == "no room: objects/" + "a" * 64 + "/x"


def test_a_log_of_slashes_takes_no_time() -> None:
    assert len(documents.log(b"/a" * 50_000)) == 100_000


def test_every_member_is_readable_by_any_tool_for_zip_files(sample: Sample, tmp_path: Path) -> None:
    members = members_of(sample.bundle(tmp_path / "it.zip"))
    assert list(members) == sorted(members)
    assert members[f"objects/{sample.keys['one']}/images/a b.png"] == b"picture"
    assert members["logs/one.log"].count(b"/home/") == 0
    assert not any(name.endswith(".step.json") for name in members)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
