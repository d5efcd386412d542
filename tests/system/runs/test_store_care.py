"""Eight real runs on one store while it is collected again and again; then a changed byte, found and made good."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from lab import DATA, MODEL, PATIENCE_S, Lab, asked, holds

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

RUNS = 8
TRAIN = f"train/{MODEL}"
COLLECT = ("gc", "--older-than", "0h", "--delete", "--json")
WORDS = ("all", "--engine", "local", *asked(MODEL, DATA, "dataset.pixels=32", "train.epochs=0"), "--only", "train")


class Crowd:
    """A store on which eight runs went on at once, what they said, and what was collected meanwhile."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.collected: list[str] = []
        self.said: list[str] = []

    def go(self) -> None:
        runs = [self.lab.start(*WORDS) for _ in range(RUNS)]
        assert holds(lambda: len(list((self.lab.artifacts / "runs").glob("*"))) == RUNS, PATIENCE_S)
        while all(run.poll() is None for run in runs):
            self.collect()
        self.said = [end_well(run) for run in runs]

    def collect(self) -> None:
        pieces = json.loads(self.lab.run(*COLLECT).stdout)["pieces"]
        self.collected += [piece["name"] for piece in pieces if piece["kind"] == "artifact"]


def end_well(process: subprocess.Popen[str]) -> str:
    with process:
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    root = tmp_path_factory.mktemp("crowd")
    crowd = Crowd(Lab(root / "artifacts", "local"))
    unused = crowd.lab.artifacts / "objects" / ("0" * 64)
    unused.mkdir(parents=True)
    crowd.go()
    yield crowd
    shutil.rmtree(root)


def test_eight_runs_at_once_make_each_artifact_once(crowd: Crowd) -> None:
    started = re.findall(r"^start +(\S+?):", "\n".join(crowd.said), re.MULTILINE)
    assert sorted(started) == ["dataset", TRAIN], crowd.said
    assert crowd.lab.damaged() == []


def test_nothing_was_collected_but_what_none_of_them_used(crowd: Crowd) -> None:
    crowd.collect()
    assert crowd.collected == ["0" * 64]
    assert {home.name for home in (crowd.lab.artifacts / "objects").iterdir()} == {
        step["key"] for step in crowd.lab.steps().values()
    }
    assert len(json.loads(crowd.lab.run("runs", "--json").stdout)["runs"]) == 1  # the latest that ended


def test_a_changed_byte_is_found_and_made_good_by_the_next_run(crowd: Crowd) -> None:
    lab, before = crowd.lab, crowd.lab.records()
    lab.run("fsck")
    listed = lab.artifacts / "objects" / before["dataset"]["key"] / "images.csv"
    listed.write_bytes(listed.read_bytes().replace(b"train", b"trait", 1))
    (corrupt,) = json.loads(lab.run("fsck", "--json", code=7).stdout)["corrupt"]
    assert (corrupt["label"], corrupt["faults"]) == ("dataset", ["images.csv was changed"])
    assert corrupt["made_from_it"] == [{"key": before[TRAIN]["key"], "label": TRAIN}]
    assert lab.run(*WORDS).stderr.count("start  ") == 1
    assert {label: one["digest"] for label, one in lab.records().items()} == {
        label: one["digest"] for label, one in before.items()
    }
    lab.run("fsck")


def test_two_runs_of_one_request_do_not_differ(crowd: Crowd) -> None:
    crowd.lab.run(*WORDS)
    told = json.loads(crowd.lab.run("runs", "--json").stdout)["runs"]
    assert (told[0]["state"], told[0]["steps"]["reused"]) == ("ended", 2)
    compared = json.loads(crowd.lab.run("diff", told[0]["run"], told[-1]["run"], "--json").stdout)
    assert (compared["steps"], compared["equal"]) == ({}, 2)
