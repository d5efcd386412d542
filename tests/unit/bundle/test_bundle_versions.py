"""What other versions of Coralline made is brought in, or refused with what to do about it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from bundles import Sample, bring, forge, unheard

from coralline.care.fsck import examine
from coralline.errors import ArtifactError
from coralline.store import Store, text_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bundles import Members


def earlier(members: Members) -> None:
    """Tell manifest, provenance and crate as an earlier version did, which named itself as the maker of everything."""
    for name in [name for name in members if name.endswith("/provenance.json")]:
        edited(
            members, name, lambda told: told["predicate"]["runDetails"]["builder"].update(version={"coralline": "0"})
        )
    edited(members, "ro-crate-metadata.json", lambda told: told["@graph"][-1].update(description="in other words"))
    restated(members)
    edited(members, "manifest.json", lambda told: told.update(version=1, coralline="0.0.9"))


def restated(members: Members) -> None:
    """Have the crate state the digests of what the others say now."""

    def restate(told: Any) -> None:
        for entity in told["@graph"]:
            if "sha256" in entity:
                entity["sha256"] = hashlib.sha256(members[unquote(entity["@id"])]).hexdigest()

    edited(members, "ro-crate-metadata.json", restate)


def edited(members: Members, name: str, change: Callable[[Any], object]) -> None:
    told = json.loads(members[name])
    change(told)
    members[name] = (json.dumps(told, indent=1, sort_keys=True) + "\n").encode()


def test_a_bundle_of_an_earlier_form_is_brought_in(bundle: Path, tmp_path: Path) -> None:
    told = bring(forge(bundle, earlier), Store(tmp_path / "other"))
    assert (told.new, told.run_is_new) == (("one", "two"), True)


def test_an_earlier_form_may_use_other_words_but_no_other_digests(sample: Sample, bundle: Path, tmp_path: Path) -> None:
    statement = f"objects/{sample.keys['one']}/provenance.json"
    for name, lie in (
        (statement, lambda told: told["subject"][1]["digest"].update(sha256="0" * 64)),
        (statement, lambda told: told["subject"].pop()),
        ("ro-crate-metadata.json", lambda told: told["@graph"][-3].update(sha256="0" * 64)),
    ):
        place = tmp_path / "forged.zip"
        place.write_bytes(bundle.read_bytes())

        def forged(members: Members, name: str = name, lie: Callable[[Any], object] = lie) -> None:
            earlier(members)
            edited(members, name, lie)
            if name == statement:
                restated(members)

        with pytest.raises(ArtifactError) as refused:
            bring(forge(place, forged), Store(tmp_path / "other"))
        assert refused.value.message == f"{name} does not say what the records say"


def test_a_later_form_is_refused_with_what_to_do(bundle: Path, tmp_path: Path) -> None:
    def later(members: Members) -> None:
        edited(members, "manifest.json", lambda told: told.update(version=99, coralline="7.0"))

    with pytest.raises(ArtifactError, match=r"of form 99, by Coralline 7\.0") as refused:
        bring(forge(bundle, later), Store(tmp_path / "other"))
    assert "bring this Coralline up to date" in refused.value.hint


def test_records_of_the_first_versions_are_bundled_and_brought_in(sample: Sample, tmp_path: Path) -> None:
    """They named neither their run nor who made them, and had no seal."""
    for key in sample.keys.values():
        place = sample.root / "objects" / key / "record.json"
        told = json.loads(place.read_text())
        place.write_text(text_of({n: v for n, v in told.items() if n not in ("run", "coralline", "revision", "seal")}))
    store = Store(tmp_path / "other")
    assert bring(sample.bundle(tmp_path / "old.zip"), store).new == ("one", "two")
    assert not examine(store, unheard).corrupt
