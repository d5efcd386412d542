"""Evolutions: the same bytes for the same parameters, killed or not; both starts learn; the test split is not seen."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING, Any

import lutnets
import numpy as np
import pytest

from stages.arrays import write_arrays
from stages.contract import InputError, Step
from stages.evolve import __main__ as stage
from stages.evolve import baselines, figures, outputs
from stages.evolve.evolution import Evolution
from stages.evolve.material import prepare
from stages.evolve.spec import SPEC
from stages.lut.file import read_network
from stages.lut.network import classes
from stages.section import read_section
from stages.waveforms import NAME, Split, read_waveforms

if TYPE_CHECKING:
    from pathlib import Path

SMALL = {"layers": [6, 2, 1], "epochs": 3, "evaluations": 640, "population": 16, "sample": 256, "rewire": 0.02}
STARTS = ("gradient", "random")


@pytest.fixture(scope="module", autouse=True)
def quick_baselines() -> Any:
    """The baselines are not what is tested here, and take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baselines, "EPOCHS", 2)
        yield


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lutnets.dataset(tmp_path_factory.mktemp("data") / "set", train=1024, test=320, samples=9, bits=3)


def step(folder: Path, dataset: Path, **values: Any) -> Step:
    out, partial = folder / "out", folder / "partial"
    out.mkdir(parents=True)
    partial.mkdir(exist_ok=True)
    parameters = {one.name: one.default for one in SPEC.parameters} | SMALL | values
    return Step(
        stage="evolve",
        label="evolve/lutnet",
        parameters=parameters,
        threads=1,
        inputs={"dataset": dataset},
        out=out,
        partial=partial,
        events=StringIO(),
    )


def made(folder: Path, dataset: Path, **values: Any) -> Path:
    one = step(folder, dataset, **values)
    stage.main(one)
    return one.out


def contents(out: Path) -> dict[str, bytes]:
    names = [*(output.path for output in SPEC.outputs), "figures/history.svg", "figures/scan.svg"]
    return {name: (out / name).read_bytes() for name in names}


@pytest.fixture(scope="module", params=STARTS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> tuple[str, Path]:
    return request.param, made(tmp_path_factory.mktemp("whole"), dataset, start=request.param)


def test_the_network_is_the_one_that_was_scored(whole: tuple[str, Path], dataset: Path) -> None:
    _, out = whole
    network, data = read_network(out), read_waveforms(dataset)
    predicted = classes(network.answer(network.compare(data.test.codes)))
    with (out / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["predicted"]) for row in rows] == predicted.tolist()
    assert [int(row["label"]) for row in rows] == data.test.labels.tolist()
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["accuracy"] == pytest.approx((predicted == data.test.labels).mean())
    assert metrics["waveforms"] == 320
    low, high = metrics["intervals"]["accuracy"]
    assert low < metrics["accuracy"] < high


def test_it_learns(whole: tuple[str, Path]) -> None:
    metrics = json.loads((whole[1] / "metrics.json").read_text())
    others = {one["name"]: one["accuracy"] for one in metrics["others"]}
    assert metrics["accuracy"] > others["the commoner class"] + 0.1


def test_history_counts_evaluations_and_keeps_the_best(whole: tuple[str, Path]) -> None:
    with (whole[1] / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert int(rows[-1]["evaluations"]) == 640
    best = [float(row["validation_best"]) for row in rows]
    assert best == sorted(best)
    assert best[-1] == max(float(row["validation"]) for row in rows)


def test_the_section_can_be_shown(whole: tuple[str, Path]) -> None:
    section = read_section(whole[1], "evolve/lutnet")
    assert next(row[0] for row in section.tables[0].rows) == "lookup tables"
    assert all((whole[1] / figure.path).is_file() for figure in section.figures)


def test_the_same_parameters_are_the_same_bytes(whole: tuple[str, Path], dataset: Path, tmp_path: Path) -> None:
    start, out = whole
    assert contents(made(tmp_path, dataset, start=start)) == contents(out)


def test_another_seed_is_another_network(whole: tuple[str, Path], dataset: Path, tmp_path: Path) -> None:
    start, out = whole
    assert contents(made(tmp_path, dataset, start=start, seed=2))["network.npz"] != contents(out)["network.npz"]


class Killed(BaseException):
    """As sudden as a signal."""


@pytest.mark.parametrize("after", [1, 2, 3, 20])
def test_a_kill_changes_no_byte(
    whole: tuple[str, Path], dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    start, out = whole
    told, count = Evolution._tell, 0

    def tell(self: Evolution, generation: int, text: str) -> None:
        nonlocal count
        count += 1
        told(self, generation, text)
        if count == after:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Evolution, "_tell", tell)
        with pytest.raises(Killed):
            made(tmp_path, dataset, start=start)
    shutil.rmtree(tmp_path / "out")
    one = step(tmp_path, dataset, start=start)
    stage.main(one)
    assert contents(one.out) == contents(out)
    facts = json.loads((one.out / "record.json").read_text())["facts"]
    begun = 3 if start == "gradient" else 0  # told so often before the first generation
    assert facts["resumed_at_evaluation"] == max(0, after - begun) * SMALL["population"]


def test_a_damaged_checkpoint_is_as_good_as_none(whole: tuple[str, Path], dataset: Path, tmp_path: Path) -> None:
    start, out = whole
    one = step(tmp_path, dataset, start=start)
    for name in ("soft.npz", "search.npz"):
        (tmp_path / "partial" / name).write_bytes(b"PK\x03\x04 half of it")
    stage.main(one)
    assert contents(one.out) == contents(out)


def test_the_test_split_decides_nothing(whole: tuple[str, Path], dataset: Path, tmp_path: Path) -> None:
    start, out = whole
    other = tmp_path / "other"
    shutil.copytree(dataset, other)
    arrays = dict(np.load(dataset / NAME))
    arrays["test_labels"] = 1 - arrays["test_labels"]
    arrays["test_scanned"] = np.maximum(1, arrays["test_scanned"])
    write_arrays(other / NAME, arrays)
    again = made(tmp_path / "again", other, start=start)
    assert (again / "network.npz").read_bytes() == (out / "network.npz").read_bytes()
    assert (again / "history.csv").read_bytes() == (out / "history.csv").read_bytes()
    scores = [json.loads((folder / "metrics.json").read_text())["accuracy"] for folder in (again, out)]
    assert sum(scores) == pytest.approx(1)


def test_layers_that_end_in_more_than_one_bit_are_refused(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"evolve.layers is 6,2: the last layer"):
        stage.main(step(tmp_path, dataset, layers=[6, 2]))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layers": [*[2] * 16, 1]}, "17 layers, at most 16"),
        ({"layers": [*[1000] * 4, 96, 1]}, "4097 neurons, at most 4096"),
        ({"layers": [683, 1], "fan_in": 6}, "4098 inputs, at most 4096"),
    ],
)
def test_what_no_network_can_hold_is_refused_before_the_search(
    dataset: Path, tmp_path: Path, values: dict[str, Any], message: str
) -> None:
    one = step(tmp_path, dataset, **values)
    with pytest.raises(InputError, match=message):
        stage.main(one)
    assert not one.events.getvalue()  # type: ignore[attr-defined]


def test_waveforms_that_are_all_alike_are_refused(dataset: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    shutil.copytree(dataset, flat)
    arrays = dict(np.load(dataset / NAME))
    write_arrays(flat / NAME, arrays | {"train_codes": np.ones_like(arrays["train_codes"])})
    with pytest.raises(InputError, match="all alike"):
        stage.main(step(tmp_path, flat))


def test_more_comparisons_than_memory_are_refused() -> None:
    codes = np.random.default_rng(1).integers(0, 2**13, (25_600, 64), np.uint16)
    labels = np.arange(len(codes)) % 2
    with pytest.raises(InputError, match=r"comparisons of 25600 training waveforms take 1.5 GiB"):
        prepare(Split(codes, labels.astype(np.uint8), labels.astype(np.int32)))


def test_what_nothing_was_sought_at_is_a_gap_in_the_scan(dataset: Path, tmp_path: Path) -> None:
    data = read_waveforms(dataset)
    scanned = np.where(data.test.labels == 1, np.where(np.arange(len(data.test)) % 2, 1, 1000), 0).astype(np.int32)
    data = replace(data, test=replace(data.test, scanned=scanned))
    edges, found, size = outputs._scanned(data.test.labels.astype(np.int64), data)
    assert (found[0], found[-1], size[1:-1]) == (1, 1, [0] * 6)
    assert np.isnan(found[1:-1]).all()
    figures.draw_scan(tmp_path / "scan.svg", data, edges, found, size)
    everywhere = [1.0] * len(found)
    figures.draw_scan(tmp_path / "all.svg", data, edges, everywhere, size)
    drawn, full = ((tmp_path / name).read_text().count("<use ") for name in ("scan.svg", "all.svg"))
    assert full - drawn == 6


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("train_labels", lambda array: array[1:], "train arrays of waveforms.npz do not fit"),
        ("test_labels", np.zeros_like, "test split of waveforms.npz has not both classes"),
        ("test_codes", lambda array: array + np.uint16(8), "samples of more than 3 bits"),
        ("train_codes", lambda array: array.astype(np.int32), "int32 with 2 axes"),
    ],
)
def test_other_data_than_the_dataset_stage_writes_is_refused(
    dataset: Path, tmp_path: Path, name: str, change: Any, message: str
) -> None:
    odd = tmp_path / "odd"
    shutil.copytree(dataset, odd)
    arrays = dict(np.load(dataset / NAME))
    write_arrays(odd / NAME, arrays | {name: change(arrays[name])})
    with pytest.raises(InputError, match=message):
        stage.main(step(tmp_path, odd))


def test_a_data_set_of_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "dataset.json").write_text('{"images": "artifact", "classes": ["a", "b"]}')
    with pytest.raises(InputError, match="not that of waveforms"):
        stage.main(step(tmp_path, tmp_path / "images"))
