"""A run compared with the bundle of another site, or with another run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from verifybench import CONVERT, TRAIN, Bench, words_of

from coralline.bundle import importing
from coralline.bundle.reader import Bundle
from coralline.store import Store, sealed

if TYPE_CHECKING:
    from pathlib import Path


def test_a_bundle_without_files_is_made_again_and_compared_by_its_records(bench: Bench, tmp_path: Path) -> None:
    bench.all()
    place = bench.bundle(tmp_path / "site.zip", outputs=False)
    there = bench.artifacts.rename(tmp_path / "other site")
    assert set(words_of(bench.verdicts(against=str(place))).values()) == {"identical"}
    assert "report" in bench.engine.ran
    assert not any(there.parent.glob("artifacts/objects/*"))  # what was made was made aside


def test_what_came_from_the_bundle_is_made_again_and_not_compared_with_itself(bench: Bench, tmp_path: Path) -> None:
    bench.all()
    place = bench.bundle(tmp_path / "site.zip", outputs=True)
    assert set(words_of(bench.verdicts(against=str(place))).values()) == {"identical"}
    assert len(bench.engine.ran) == len(bench.run().steps)
    told = bench.verdicts(11, against=str(place), run=bench.run().id)
    assert set(words_of(told).values()) == {"not verified"}
    assert told[TRAIN]["remarks"] == ["both are copies of one making, which proves nothing"]


def test_a_bundle_is_compared_with_what_the_store_has_under_the_same_keys(bench: Bench, tmp_path: Path) -> None:
    bench.all()
    place = bench.bundle(tmp_path / "site.zip", outputs=True)
    bench.artifacts.rename(tmp_path / "other site")
    bench.all()
    assert set(words_of(bench.verdicts(against=str(place))).values()) == {"identical"}
    assert bench.engine.ran == []


def test_what_was_imported_counts_as_made_by_nobody(bench: Bench, tmp_path: Path) -> None:
    """Else one bundle of a pair would vouch for the other: their records say what their maker likes."""
    bench.all()
    place = bench.bundle(tmp_path / "site.zip", outputs=True)
    bench.artifacts.rename(tmp_path / "other site")
    store = Store(bench.artifacts)
    with Bundle(place) as bundle:
        importing.bring_in(bundle, store, lambda _notice: None)
    for home in (tmp_path / "other site" / "objects").iterdir():
        told = json.loads((home / "record.json").read_text())
        (home / "record.json").write_text(sealed({**told, "seconds": told["seconds"] + 1}))
    elsewhere = Bench(tmp_path / "other site", bench.engine, bench._output)
    twin = elsewhere.bundle(tmp_path / "twin.zip", outputs=True)
    assert set(words_of(bench.verdicts(against=str(twin))).values()) == {"identical"}
    assert len(bench.engine.ran) == len(bench.run().steps)


def test_of_a_stage_that_the_bundle_lacks_nothing_is_told_as_equal(bench: Bench, tmp_path: Path) -> None:
    bench.all()
    place = bench.bundle(tmp_path / "site.zip", outputs=False)
    bench.verify(3, against=str(place), run=bench.run().id, only="parity")
    assert "no artifact of the stage parity" in bench.told


def test_two_runs_are_compared_side_by_side_without_making_anything(bench: Bench, tmp_path: Path) -> None:
    bench.all(set_=["train.epochs=3"])
    place = bench.bundle(tmp_path / "site.zip", outputs=False)
    bench.all(set_=["train.epochs=4"])
    told = bench.verdicts(10, against=str(place), run=bench.run().id)
    assert bench.engine.ran == []
    assert told[TRAIN]["first_difference"]["text"] == "parameter train.epochs 3 -> 4"
    assert told["dataset"]["verdict"] == "not verified"  # both runs used the one that was made
    bench.artifacts.rename(tmp_path / "other site")
    bench.all(set_=["train.epochs=4"])
    told = bench.verdicts(10, against=str(place), run=bench.run().id)
    assert told["dataset"]["verdict"] == told[CONVERT]["verdict"] == "identical"
