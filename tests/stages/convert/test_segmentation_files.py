"""unet447 through the recipes: each file finds what the network finds, and int8 is judged by IoU."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from masked import make_masked

from stages.contract import Step
from stages.convert.__main__ import main
from stages.convert.judge import predict
from stages.images import as_floats
from stages.models import build
from stages.tasks import task_of
from stages.tasks.learning import overlap_and_entropy
from stages.tflite.model import float_tensors, read_model

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 16
RECIPES = ("float32", "float16", "dynamic", "ptq-int8-stock", "ptq-int8")


def make_step(folder: Path, dataset: Path, model: Path, recipe: str) -> Step:
    out = folder / recipe
    out.mkdir()
    values = {
        "model": "unet447",
        "recipe": recipe,
        "calibration_images": 16,
        "calibration_seed": 1,
        "judging_images": 12,
    }
    return Step(
        "convert",
        f"convert/unet447/{recipe}",
        values,
        1,
        {"dataset": dataset, "model": model},
        out,
        None,
        [],
        io.StringIO(),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Step]:
    """The files of all recipes of a network that was trained for a moment."""
    folder = tmp_path_factory.mktemp("unet")
    dataset = make_masked(folder / "set", size=SIZE, train=40, test=8)
    model = folder / "model"
    model.mkdir()
    steps = {recipe: make_step(folder, dataset, model, recipe) for recipe in RECIPES}
    task = task_of("unet447", steps["float32"])
    rows = task.images.rows("train")
    tf.keras.utils.set_random_seed(1)
    network = build("unet447", SIZE, 2)
    network.compile(tf.keras.optimizers.Adam(3e-2), overlap_and_entropy)
    pixels = np.stack([as_floats(task.images.load(row, SIZE)) for row in rows])
    network.fit(pixels, np.stack([task.truth(row, SIZE) for row in rows]), epochs=15, batch_size=8, verbose=0)
    network.save_weights(str(model / "weights.h5"), save_format="h5")
    described: dict[str, Any] = {"schema": "coralline.model", "version": 1, "model": "unet447", "input_size": SIZE}
    described |= {"classes": ["other", "line"], "batchnorm_momentum": 0.0}
    kept = [row.path for row in rows[:6]]
    (model / "model.json").write_text(json.dumps({**described, "validation_images": kept}))
    for step in steps.values():
        main(step)
    return steps


def iou(step: Step) -> float:
    task = task_of("unet447", step)
    rows = task.images.rows("test")
    outputs = predict(
        (step.out / "model.tflite").read_bytes(), np.stack([task.images.load(row, SIZE) for row in rows]), 1
    )
    score: Any = task.compare(outputs, outputs, np.stack([task.truth(row, SIZE) for row in rows]))
    return float(score.iou)


def test_the_network_finds_lines(made: dict[str, Step]) -> None:
    assert iou(made["float32"]) > 0.5


@pytest.mark.parametrize("recipe", RECIPES[1:])
def test_every_file_finds_what_the_network_finds(made: dict[str, Step], recipe: str) -> None:
    assert abs(iou(made[recipe]) - iou(made["float32"])) < 0.05  # of 128 sought pixels


@pytest.mark.parametrize("recipe", ["ptq-int8-stock", "ptq-int8"])
def test_int8_files_hold_no_float_and_take_bytes(made: dict[str, Step], recipe: str) -> None:
    content = (made[recipe].out / "model.tflite").read_bytes()
    told = json.loads((made[recipe].out / "conversion.json").read_text())
    assert float_tensors(read_model(content)) == []
    assert (told["input"]["dtype"], told["output"]["dtype"]) == ("uint8", "uint8")
    assert told["output"]["shape"] == [1, SIZE, SIZE, 1]


def test_int8_is_chosen_by_the_iou_that_it_is_expected_to_lose(made: dict[str, Step]) -> None:
    told = json.loads((made["ptq-int8"].out / "conversion.json").read_text())["quantisation"]
    assert told["float32"]["regret"] == 0
    assert told["float32"]["agreement"] == 1
    assert 0 < told["float32"]["iou"] <= 1
    assert told["chosen"]["regret"] == min(one["regret"] for one in told["candidates"])
