from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from bundles import RUN, Sample, bring, unheard

from coralline import runs
from coralline.bundle import importing
from coralline.bundle.reader import Bundle
from coralline.care.fsck import examine
from coralline.commands import bundle as bundlecommands
from coralline.errors import ArtifactError, ProfileError
from coralline.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def test_an_empty_store_has_the_run_and_its_artifacts_afterwards(sample: Sample, bundle: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "other")
    told = bring(bundle, store)
    assert (told.new, told.known, told.run_is_new) == (("one", "two"), (), True)
    for key in sample.keys.values():
        found, original = store.find(key), sample.store.find(key)
        assert found is not None
        assert original is not None
        assert found.record == original.record
        assert sorted(path.read_bytes() for path in found.path.rglob("*") if path.is_file()) == sorted(
            path.read_bytes() for path in original.path.rglob("*") if path.is_file()
        )
    assert not examine(store, unheard).corrupt
    assert runs.load(store.root).id == RUN
    assert runs.load(store.root).log("one").read_text().startswith('File "stages/one/__main__.py"')
    assert not any((store.root / "building").iterdir())
    last = store.last("two")
    assert last is not None
    assert last.key == sample.keys["two"]


def test_an_imported_run_says_so(bundle: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "other")
    bring(bundle, store)
    told = json.loads((store.root / "runs" / RUN / runs.IMPORTED).read_text())
    with Bundle(bundle) as opened:
        assert told == {"schema": "coralline.imported", "version": 1, "manifest": opened.digest}


def test_a_bundle_of_what_was_imported_is_the_same_bytes(sample: Sample, bundle: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "other")
    bring(bundle, store)
    again = Sample(store.root, sample.keys).bundle(tmp_path / "again.zip")
    assert again.read_bytes() == bundle.read_bytes()


def test_what_is_there_and_equal_is_left(sample: Sample, bundle: Path) -> None:
    before = {path: path.stat().st_ino for path in (sample.root / "objects").rglob("*")}
    told = bring(bundle, sample.store)
    assert (told.new, told.known, told.run_is_new) == ((), ("one", "two"), False)
    assert {path: path.stat().st_ino for path in (sample.root / "objects").rglob("*")} == before


def test_what_is_there_and_different_is_refused_and_nothing_comes_in(bundle: Path, tmp_path: Path) -> None:
    other = Sample(tmp_path / "other")
    first = other.publish("one", {"size": 3}, {}, {"out.json": b"{}", "images/a b.png": b"picture"})
    other.publish("two", {"size": 4, "model": "x"}, {"one": first}, {"out.json": b'{"x": 2}'})
    key = other.keys.pop("one")
    (other.root / "objects" / key).rename(tmp_path / "aside")
    with pytest.raises(ArtifactError, match=f"two: the store has another artifact under the key {other.keys['two']}"):
        bring(bundle, other.store)
    assert not (other.root / "objects" / key).exists()
    assert not (other.root / "runs").exists()


def test_another_run_of_the_same_name_is_refused_and_nothing_comes_in(bundle: Path, tmp_path: Path) -> None:
    other = Sample(tmp_path / "other").make()
    place = other.root / "runs" / RUN / "run.json"
    place.write_text(place.read_text().replace('"quick"', '"slow"').replace("mine.toml", "other.toml"))
    for key in other.keys.values():
        (other.root / "objects" / key).rename(tmp_path / key)
    with pytest.raises(ArtifactError, match=f"another run {RUN}"):
        bring(bundle, other.store)
    assert not list((other.root / "objects").iterdir())


@pytest.mark.parametrize("text", ["", "[]", "{}", None])
def test_a_run_here_that_cannot_be_read_is_told_and_left(bundle: Path, tmp_path: Path, text: str | None) -> None:
    place = tmp_path / "other" / "runs" / RUN
    place.mkdir(parents=True)
    if text is not None:
        (place / "run.json").write_text(text)
    with pytest.raises(ArtifactError, match=f"the run {RUN} of the store cannot be read"):
        bring(bundle, Store(tmp_path / "other"))
    assert not (tmp_path / "other" / "objects").exists()


def test_records_alone_are_refused(sample: Sample, tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"the outputs of (one|two) are not in the bundle"):
        bring(sample.bundle(tmp_path / "records.zip", outputs=False), Store(tmp_path / "other"))
    assert not (tmp_path / "other").exists()


def test_an_import_that_breaks_off_leaves_whole_artifacts_only_and_can_be_repeated(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, unpack, seen = Store(tmp_path / "other"), Bundle.unpack, list[str]()

    def break_off(opened: Bundle, key: str, home: Path) -> None:
        unpack(opened, key, home)
        seen.append(key)
        if len(seen) == 2:
            raise OSError(5, "the disk went away")

    with monkeypatch.context() as patched:
        patched.setattr(Bundle, "unpack", break_off)
        with pytest.raises(OSError, match="went away"):
            bring(bundle, store)
    assert [path.name for path in (store.root / "objects").iterdir()] == seen[:1]
    assert not examine(store, unheard).corrupt
    assert not (store.root / "runs" / RUN).exists()
    told = bring(bundle, store)
    assert len(told.new) == len(told.known) == 1
    assert told.run_is_new


def test_an_artifact_whose_record_is_lost_is_replaced(sample: Sample, bundle: Path) -> None:
    (sample.root / "objects" / sample.keys["one"] / "record.json").unlink()
    assert bring(bundle, sample.store).new == ("one",)
    assert not examine(sample.store, unheard).corrupt


def test_bytes_that_change_while_they_are_read_are_not_taken(bundle: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "other")
    with Bundle(bundle) as opened:
        content = bundle.read_bytes()
        bundle.write_bytes(content.replace(b"picture", b"picturE"))
        with pytest.raises(ArtifactError, match=r"images/a b\.png changed while it was read"):
            importing.bring_in(opened, store, unheard)
    assert not list((store.root / "objects").rglob("*.png"))


@pytest.fixture
def here(sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder, with the sample's store as one's own."""
    monkeypatch.setenv("CORALLINE_ARTIFACTS", str(sample.root))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_tasks_say_what_they_did(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundlecommands.write_bundle(None, artifacts=True, to=None, sign=None, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["run"], told["file"], told["artifacts"]) == (RUN, f"{RUN}.zip", True)
    assert told["locks_missing"] == ["image-one", "image-two"]
    monkeypatch.setenv("CORALLINE_ARTIFACTS", str(here / "other"))
    bundlecommands.import_bundle(told["file"], key=None, as_json=True)
    assert json.loads(capsys.readouterr().out)["new"] == ["one", "two"]
    bundlecommands.import_bundle(told["file"], key=None, as_json=False)
    assert f"run {RUN} (here already): 0 artifacts new, 2 here already" in capsys.readouterr().out


def test_a_run_that_goes_on_is_not_bundled(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words: dict[str, Any] = {"artifacts": True, "to": None, "sign": None, "as_json": True}
    with Store(here / "store").used() as store:
        store.claim(RUN)
        with pytest.raises(SystemExit) as ended:
            bundlecommands.write_bundle(RUN, **words)
    assert (ended.value.code, list(here.glob("*.zip"))) == (2, [])
    assert f"run {RUN} still goes on" in capsys.readouterr().err
    bundlecommands.write_bundle(RUN, **words)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ({"to": "it.zip"}, 2, "there is something at 'it.zip' already"),
        ({"to": "none/it.zip"}, 2, "there is no folder 'none'"),
        ({"name": "nothing"}, 2, "no run nothing"),
        ({"sign": "nokey"}, 2, "there is no key 'nokey'"),
    ],
)
def test_what_cannot_be_bundled_is_said_and_leaves_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], words: dict[str, str], code: int, told: str
) -> None:
    (here / "it.zip").write_bytes(b"mine")
    before = sorted(here.iterdir())
    given = {"name": None, "artifacts": False, "to": "new.zip", "sign": None, "as_json": False} | words
    with pytest.raises(SystemExit) as ended:
        bundlecommands.write_bundle(**given)  # type: ignore[arg-type]
    assert ended.value.code == code
    assert told in capsys.readouterr().err
    assert sorted(here.iterdir()) == before
    assert (here / "it.zip").read_bytes() == b"mine"
