"""The dataset stage with simulated events: counts, files and numbers as the step contract promises them."""

from __future__ import annotations

import csv
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from step import dataset_step

from stages.contract import InputError, Step
from stages.dataset import __main__ as stage
from stages.dataset.simulate import share_out

if TYPE_CHECKING:
    from pathlib import Path


@given(st.integers(0, 10**7), st.lists(st.integers(1, 10**6), min_size=1, max_size=9))
def test_shares_add_up_and_are_off_by_less_than_one(total: int, shares: list[int]) -> None:
    given_out = share_out(total, shares)
    assert sum(given_out) == total
    assert all(abs(got - total * share / sum(shares)) < 1 for got, share in zip(given_out, shares, strict=True))


@given(st.lists(st.integers(1, 10**5), min_size=1, max_size=5), st.integers(1, 20))
def test_a_multiple_of_the_shares_is_met_exactly(shares: list[int], factor: int) -> None:
    assert share_out(sum(shares) * factor, shares) == [share * factor for share in shares]


def test_the_papers_counts_come_out_of_its_shares() -> None:
    assert share_out(17338, [6328, 4742, 6268]) == [6328, 4742, 6268]
    assert share_out(5000, [1149, 2696, 1155]) == [1149, 2696, 1155]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Step:
    step = dataset_step(tmp_path_factory.mktemp("made"), source="simulate", train_events=11, test_events=4, size=32)
    stage.main(step)
    return step


def read(step: Step, name: str) -> Any:
    return json.loads((step.out / name).read_text())


def test_classes_are_in_the_order_of_the_labels(made: Step) -> None:
    assert read(made, "dataset.json") == {
        "schema": "coralline.dataset",
        "version": 1,
        "source": "simulate",
        "classes": ["cc_numu", "cc_nue", "nc"],
        "size": [32, 32],
        "splits": {
            "train": {"cc_numu": 4, "cc_nue": 4, "nc": 3},
            "test": {"cc_numu": 2, "cc_nue": 1, "nc": 1},
        },
        "images": "artifact",
        "skipped": [],
    }


def test_every_image_is_listed_with_its_digest_in_order(made: Step) -> None:
    with (made.out / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15
    assert rows == sorted(rows, key=lambda row: (row["split"], row["class"], row["path"]))
    assert {(row["class"], row["label"]) for row in rows} == {("cc_numu", "0"), ("cc_nue", "1"), ("nc", "2")}
    for row in rows:
        content = (made.out / "images" / row["path"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(content).hexdigest()


def test_the_truth_and_the_parameters_lie_beside_the_images(made: Step) -> None:
    assert {path.name for path in made.out.iterdir()} == {
        "config.json", "dataset.json", "images", "images.csv", "manifest.json", "metadata.csv", "record.json",
    }  # fmt: skip


def test_the_record_tells_speed_and_how_full_the_images_are(made: Step) -> None:
    numbers = {number["metric"]: number for number in read(made, "record.json")["numbers"]}
    assert numbers["events_per_second"]["value"] > 0
    occupied = numbers["occupied_pixels_cc_numu"]
    assert occupied["n"] == 4
    assert occupied["interval"][0] < occupied["value"] < occupied["interval"][1]


def test_progress_counts_events(made: Step) -> None:
    events = [json.loads(line) for line in made.events.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert events[-1] == {"event": "progress", "done": 15, "total": 15, "unit": "event", "message": ""}


def test_the_number_of_processes_changes_nothing(made: Step, tmp_path: Path) -> None:
    again = dataset_step(tmp_path, source="simulate", train_events=11, test_events=4, size=32, threads=2)
    stage.main(again)
    for name in ("dataset.json", "images.csv", "manifest.json", "metadata.csv", "config.json"):
        assert (again.out / name).read_bytes() == (made.out / name).read_bytes()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"train_shares": [1, 1]}, "dataset.train_shares = 1,1"),
        ({"test_shares": [1, 0, 1]}, "dataset.test_shares = 1,0,1"),
        ({"test_events": 3, "test_shares": [100, 1, 1]}, "3 test events leave none for cc_nue, nc"),
        ({"e_min": 4.0}, "e_min"),
        ({"margin": 200.0, "half_cube": 100.0}, "margin"),
    ],
)
def test_what_cannot_be_simulated_is_said_before_anything_is_made(
    tmp_path: Path, parameters: dict[str, Any], message: str
) -> None:
    step = dataset_step(tmp_path, source="simulate", **parameters)
    with pytest.raises(InputError, match=message):
        stage.main(step)
    assert list(step.out.iterdir()) == []
