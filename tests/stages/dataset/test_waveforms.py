"""Simulated waveforms: the same numbers on every machine, pulses where the parameters put them, no contradictions."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from step import dataset_step

from stages.contract import InputError
from stages.dataset import __main__ as stage
from stages.dataset.waveforms.pulses import PEDESTAL, simulate
from stages.dataset.waveforms.settings import Settings
from stages.waveforms import NAME, Waveforms, read_waveforms

if TYPE_CHECKING:
    from pathlib import Path

COUNTS = {"train_pulses": 2000, "test_pulses": 300}
QUIET = {"noise_pe": 0.0, "dark_mhz": 0.0, "crosstalk": 0.0, "gain_spread": 0.0, "scintillator_ns": 0.0}
# Of 2000 and 300 waveforms with seed 1: whoever changes the simulation changes it, and everybody's data with it.
DIGEST = "e2b775aafce058c0e02f2e3434b3e255cbadaf464abf0c25809f261c4ca9b413"


def made(folder: Path, **values: Any) -> Waveforms:
    step = dataset_step(folder, source="waveforms", **{**COUNTS, **values})
    stage.main(step)
    return read_waveforms(step.out)


def settings(**values: Any) -> Settings:
    from stages.dataset.sources.waveforms import SOURCE

    return Settings.read({one.name: one.default for one in SOURCE.parameters} | values)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Waveforms]:
    folder = tmp_path_factory.mktemp("usual") / "set"
    return folder / "out", made(folder)


def test_the_numbers_are_the_same_on_every_machine(usual: tuple[Path, Waveforms]) -> None:
    assert hashlib.sha256((usual[0] / NAME).read_bytes()).hexdigest() == DIGEST


def test_another_seed_gives_other_waveforms(usual: tuple[Path, Waveforms], tmp_path: Path) -> None:
    assert not np.array_equal(made(tmp_path / "set", seed=2).train.codes, usual[1].train.codes)


def test_the_splits_share_no_waveform(usual: tuple[Path, Waveforms]) -> None:
    train, test = ({row.tobytes() for row in split.codes} for split in (usual[1].train, usual[1].test))
    assert not train & test


def test_the_document_says_what_there_is(usual: tuple[Path, Waveforms]) -> None:
    told = json.loads((usual[0] / "dataset.json").read_text())
    assert told["splits"] == {"train": {"single": 1000, "double": 1000}, "test": {"single": 150, "double": 150}}
    assert (told["size"], told["arrays"], told["samples"], told["bits"]) == (None, NAME, 64, 8)
    assert "images" not in told
    assert "simulated" in told["about"]


def test_only_doubles_have_a_delay_and_it_is_within_its_limits(usual: tuple[Path, Waveforms]) -> None:
    train = usual[1].train
    assert set(train.scanned[train.labels == 0].tolist()) == {0}
    delays = train.scanned[train.labels == 1]
    assert 4_000 <= delays.min() < 4_500
    assert 59_500 < delays.max() <= 60_000


def test_a_quiet_photoelectron_has_its_height_and_falls_as_it_should() -> None:
    quiet = settings(**QUIET, pe_min=1.0, pe_max=1.0, codes_per_pe=100.0, bits=12, samples=128, sample_ns=1.0)
    codes = simulate(quiet, np.zeros(400, np.uint8), np.random.default_rng(1)).codes.astype(float) - PEDESTAL
    tops = codes.max(axis=1)
    single = codes[tops < 150]  # one photoelectron, not two
    assert len(single) > 100
    assert np.allclose(single.max(axis=1), 100, atol=1.5)
    late = single[:, 60] / single[:, 40]
    assert np.median(late) == pytest.approx(np.exp(-20 / 35), abs=0.05)


def test_nothing_comes_before_the_light() -> None:
    codes = simulate(settings(**QUIET), np.ones(200, np.uint8), np.random.default_rng(1)).codes
    assert set(codes[:, :8].ravel().tolist()) == {PEDESTAL}
    assert (codes[:, 9:14].max(axis=1) > PEDESTAL).all()


def test_a_second_pulse_adds_light_after_its_delay() -> None:
    fixed = settings(**QUIET, delay_min_ns=40.0, delay_max_ns=40.0, pe_min=50.0, pe_max=50.0)
    labels = np.repeat(np.array([0, 1], np.uint8), 300)
    codes = simulate(fixed, labels, np.random.default_rng(1)).codes.astype(float)
    one, two = codes[:300].mean(axis=0), codes[300:].mean(axis=0)
    assert np.allclose(one[:18], two[:18], atol=2)  # light at sample 8, the second at 18 at the earliest
    assert (two[21:30] - one[21:30] > 20).all()


def test_codes_are_cut_at_the_digitiser_s_limits() -> None:
    codes = simulate(settings(bits=4, noise_pe=10.0), np.ones(100, np.uint8), np.random.default_rng(1)).codes
    assert (codes.min(), codes.max()) == (0, 15)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pe_min": 60.0, "pe_max": 50.0}, "dataset.pe_min is 60, above dataset.pe_max, 50"),
        ({"rise_ns": 40.0}, "dataset.rise_ns is 40, above dataset.fall_ns, 35"),
        ({"rise_ns": 35.0}, "dataset.rise_ns is 35, dataset.fall_ns too"),
        ({"delay_min_ns": 61.0}, "dataset.delay_min_ns is 61"),
        ({"delay_max_ns": 225.0}, "a delay of 225 ns leads out of a window of 256 ns"),
    ],
)
def test_contradictions_are_told_before_anything_is_made(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    step = dataset_step(tmp_path, source="waveforms", **values)
    with pytest.raises(InputError, match=message):
        stage.main(step)
    assert list(step.out.iterdir()) == []
