"""Counts over thresholds are those of the events' pixels, and nothing else of the events is handed on."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stages.contract import Step
from stages.dataset.pretrigger import BITS, THRESHOLDS, over
from stages.dataset.sources.pretrigger import SOURCE, make
from stages.waveforms import NAME, Waveforms, read_waveforms

if TYPE_CHECKING:
    from pathlib import Path

COUNTS = {"train_counts": 40, "test_counts": 24}


def made(folder: Path, **values: Any) -> Waveforms:
    parameters = {one.name: one.default for one in SOURCE.parameters}
    folder.mkdir()
    make(
        Step(
            "dataset",
            "dataset",
            {**parameters, "source": "pretrigger", **COUNTS, **values},
            1,
            {},
            folder,
            None,
            events=io.StringIO(),
        )
    )
    return read_waveforms(folder)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Waveforms]:
    folder = tmp_path_factory.mktemp("pretrigger") / "set"
    return folder, made(folder)


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))),
    st.integers(1, 64),
)
def test_a_count_is_that_of_the_pixels_at_or_above_its_threshold(pixels: Any, distance: int) -> None:
    expected = [min((pixels >= distance * (place + 1)).sum(), 2**BITS - 1) for place in range(THRESHOLDS)]
    assert over(pixels, distance).tolist() == expected


def test_half_of_the_events_have_an_electron_and_the_classes_are_mixed(usual: tuple[Path, Waveforms]) -> None:
    train = usual[1].train
    assert usual[1].classes == ("other", "cc_nue")
    assert (len(train), int(train.labels.sum())) == (40, 20)
    assert 0 < train.labels[:20].sum() < 20
    assert (train.codes[:, 0] >= train.codes[:, -1]).all()
    assert train.codes[:, 0].min() >= 12, "an event has at least dataset.min_pix pixels above the threshold"


def test_the_scan_is_the_neutrino_energy(usual: tuple[Path, Waveforms]) -> None:
    told = usual[1]
    assert (told.scan.quantity, told.scan.unit) == ("neutrino energy", "GeV")
    energies = told.test.scanned / told.scan.parts
    assert 1 <= energies.min() < energies.max() <= 4


def test_only_the_counts_are_handed_on(usual: tuple[Path, Waveforms]) -> None:
    assert sorted(path.name for path in usual[0].rglob("*") if path.is_file() and path.name != "record.json") == [
        "dataset.json",
        NAME,
    ]
    told = json.loads((usual[0] / "dataset.json").read_text())
    assert told["splits"]["test"] == {"other": 12, "cc_nue": 12}
    assert "simulated" in told["about"]


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(
    usual: tuple[Path, Waveforms], tmp_path: Path
) -> None:
    made(tmp_path / "again")
    assert (tmp_path / "again" / NAME).read_bytes() == (usual[0] / NAME).read_bytes()
    assert not np.array_equal(made(tmp_path / "other", seed=2).train.codes, usual[1].train.codes)
