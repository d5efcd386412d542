"""A run is made again for real and is what it was; then one thing after another is changed, and each is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from lab import Lab, save_images

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STATED = {"identical", "statistically equal"}


def verdicts(lab: Lab, *words: str, code: int = 0) -> dict[str, dict[str, Any]]:
    told = json.loads(lab.run("verify", "--json", *words, code=code).stdout)
    return {one["step"]: one for one in told["verdicts"]}


def test_a_fresh_run_is_made_again_byte_for_byte_but_for_what_is_measured(docker: Lab) -> None:
    with docker.start("verify", "--json") as process:
        said, _ = process.communicate()
    told = {one["step"]: one for one in json.loads(said)["verdicts"]}
    assert told.keys() == docker.records().keys()
    measured = {label for label in told if label.startswith("benchmark/")}
    assert {told[label]["verdict"] for label in told.keys() - measured} == {"identical"}
    for label in measured:  # predictions and scores are the same bytes; of times no test says how fast they are
        assert set(told[label]["files"]) <= {"latency.json", "execution.json"}
        assert (told[label]["verdict"] in STATED) == all(one["holds"] for one in told[label]["intervals"])
    assert docker.nothing_is_left()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A store with a run on images of the user's, made by the quickest stage."""
    root = tmp_path_factory.mktemp("own")
    lab = Lab(root / "artifacts", "local")
    save_images(root / "images")
    lab.run("all", "--only", "dataset", "--data", str(root / "images"), "--engine", "local")
    return lab


def data(lab: Lab) -> Path:
    return lab.artifacts.parent / "images"


def changing(place: Path, change: Callable[[bytes], bytes]) -> Callable[[], object]:
    """Change a file; return what puts it back."""
    before = place.read_bytes()
    place.write_bytes(change(before))
    return lambda: place.write_bytes(before)


def test_one_changed_byte_one_parameter_and_one_corruption_are_each_named(own: Lab) -> None:
    home = own.artifacts / "objects" / own.steps()["dataset"]["key"]
    run = max((own.artifacts / "runs").glob("*/run.json"))
    usual = ("--data", str(data(own)))
    assert verdicts(own, *usual)["dataset"]["verdict"] == "identical"
    put_back = changing(data(own) / "train" / "two" / "3.png", lambda content: content[:-1] + b"\0")
    told = verdicts(own, *usual, code=10)["dataset"]
    assert told["first_difference"] == {"kind": "input", "text": "input data: train/two/3.png changed"}
    put_back()
    put_back = changing(
        run, lambda content: content.replace(b'"values": {', b'"values": {"dataset.on_bad_image": "skip",')
    )
    told = verdicts(own, *usual, code=10)["dataset"]
    assert told["first_difference"]["text"] == "parameter dataset.on_bad_image fail -> skip"
    put_back()
    put_back = changing(home / "images.csv", lambda content: content.replace(b"0.png", b"O.png", 1))
    told = verdicts(own, *usual, code=7)["dataset"]
    assert (told["verdict"], told["files"]) == ("corrupted", ["images.csv was changed"])
    put_back()
    assert not (own.artifacts / "verify").exists()


def test_a_bundle_is_compared_with_what_is_here_and_made_where_nothing_is(own: Lab, tmp_path: Path) -> None:
    own.run("bundle", "--to", str(tmp_path / "site.zip"))
    words = ("--against", str(tmp_path / "site.zip"), "--data", str(data(own)))
    assert verdicts(own, *words)["dataset"]["verdict"] == "identical"
    elsewhere = Lab(tmp_path / "artifacts", "local")
    assert verdicts(elsewhere, *words)["dataset"]["verdict"] == "identical"
