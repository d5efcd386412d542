"""Each layer alone, at few bits: what is measured is what a file with that layer rounded really says."""

from __future__ import annotations

import io
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stages.contract import InputError, Step
from stages.convert.network import float_flatbuffer
from stages.rewrite import rewrite
from stages.section import read_section
from stages.sensitivity import __main__ as stage
from stages.sensitivity.layers import Layer, Rounder, layers
from stages.sensitivity.measure import KEPT, Kept, Measured
from stages.tflite.model import read_model
from stages.trained import load_trained

if TYPE_CHECKING:
    from pathlib import Path


def step(folder: Path, trained: Path, dataset: Path, **parameters: Any) -> Step:
    for name in ("out", "partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    told = {"model": "efficientnetv2b0", "images": 12, "bits": [4], **parameters}
    inputs = {"model": trained, "dataset": dataset}
    return Step(
        "sensitivity", "sensitivity/x", told, 2, inputs, folder / "out", folder / "partial", events=io.StringIO()
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, efficientnet: Path, blobs: Path) -> Step:
    one = step(tmp_path_factory.mktemp("made"), efficientnet, blobs)
    stage.main(one)
    return one


@pytest.fixture(scope="module")
def flatbuffer(efficientnet: Path) -> bytes:
    return float_flatbuffer(rewrite(load_trained(efficientnet)[0])[0])


def weights(content: bytes, layer: Layer) -> np.ndarray:
    graph = read_model(content).main
    return np.frombuffer(graph.tensors[graph.operators[layer.place].inputs[1]].data, "<f4").reshape(layer.shape)


def test_every_layer_is_measured_at_every_width(made: Step, flatbuffer: bytes) -> None:
    told = json.loads((made.out / "sensitivity.json").read_text())
    found = layers(flatbuffer)
    assert [(one["name"], one["weights"]) for one in told["layers"]] == [(one.name, one.weights) for one in found]
    assert told["images"] == 12
    for one in told["layers"]:
        (width,) = one["widths"]
        assert width["bits"] == 4
        assert width["weight_bytes"] == -(-one["weights"] // 2)
        low, high = width["interval"]
        assert low <= width["score"] <= high
        assert width["divergence"] >= -1e-6
    assert max(one["widths"][0]["divergence"] for one in told["layers"]) > 0


def test_the_report_gets_a_table_of_all_layers_and_a_figure(made: Step) -> None:
    section = read_section(made.out, "sensitivity/x")
    (table,) = section.tables
    told = json.loads((made.out / "sensitivity.json").read_text())
    assert len(table.rows) == len(told["layers"])
    losses = [row[3] for row in table.rows]
    assert losses == sorted(losses, reverse=True)
    assert (made.out / section.figures[0].path).read_text().startswith("<?xml")


@pytest.mark.parametrize(("operator", "axis"), [("CONV_2D", 0), ("DEPTHWISE_CONV_2D", 3)])
def test_a_rounded_layer_has_few_values_in_each_channel_and_no_other_changes(
    flatbuffer: bytes, operator: str, axis: int
) -> None:
    found = layers(flatbuffer)
    layer = next(one for one in found if one.operator == operator and one.weights > 4000)
    changed = Rounder(flatbuffer).at((layer, 3))
    before, after = weights(flatbuffer, layer), weights(changed, layer)
    channels = np.moveaxis(after, axis, 0).reshape(layer.shape[axis], -1)
    assert all(len(np.unique(channel)) <= 7 for channel in channels)
    assert 0 < np.abs(before - after).max() < np.abs(before).max()
    others = [one for one in found if one != layer]
    assert all(np.array_equal(weights(flatbuffer, one), weights(changed, one)) for one in others)


def test_more_bits_change_weights_less(flatbuffer: bytes) -> None:
    layer = max(layers(flatbuffer), key=lambda one: one.weights)
    rounder, real = Rounder(flatbuffer), weights(flatbuffer, layer)
    errors = [float(np.square(weights(rounder.at((layer, bits)), layer) - real).mean()) for bits in (2, 3, 4, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-3 * errors[0]


def test_what_was_measured_before_a_kill_is_not_measured_again(
    tmp_path: Path, made: Step, efficientnet: Path, blobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = step(tmp_path, efficientnet, blobs)
    assert made.partial is not None
    assert again.partial is not None
    shutil.copy(made.partial / KEPT, again.partial / KEPT)
    lines = (again.partial / KEPT).read_text().splitlines(keepends=True)
    (again.partial / KEPT).write_text("".join(lines[:-1]) + lines[-1][:20])  # the last one was cut short
    counted: list[int] = []
    measured = stage_measure()
    monkeypatch.setattr(measured, "of", counting(measured.of, counted))
    stage.main(again)
    assert len(counted) == 1
    assert (again.out / "sensitivity.json").read_bytes() == (made.out / "sensitivity.json").read_bytes()
    assert (again.partial / KEPT).read_text() == "".join(lines)


def stage_measure() -> Any:
    from stages.sensitivity.measure import Measure

    return Measure


def counting(of: Any, counted: list[int]) -> Any:
    def wrapped(self: Any, *words: Any) -> Any:
        counted.append(1)
        return of(self, *words)

    return wrapped


def test_without_a_folder_nothing_is_kept() -> None:
    layer = Layer(3, "a", "CONV_2D", (2, 1, 1, 3))
    kept = Kept(None)
    kept.add(layer, Measured(4, 0.5, (0.4, 0.6), 0.0, 3))
    assert kept.find(layer, 4) is None


def test_the_test_split_decides_nothing(tmp_path: Path, efficientnet: Path, blobs: Path) -> None:
    source = stage_source(step(tmp_path, efficientnet, blobs))
    rows = stage.validation(source, source.task().images, 500)
    assert len(rows) == 60
    assert all(row.path.startswith("train/") for row in rows)


def stage_source(one: Step) -> Any:
    from stages.convert.source import Source

    return Source.read(one, load_trained)


def test_too_few_validation_images_are_refused(tmp_path: Path, efficientnet: Path, blobs: Path) -> None:
    trained = shutil.copytree(efficientnet, tmp_path / "trained")
    told = json.loads((trained / "model.json").read_text())
    told["validation_images"] = told["validation_images"][:5]  # all of one class
    (trained / "model.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match="no validation images of some class"):
        stage.main(step(tmp_path, trained, blobs))
