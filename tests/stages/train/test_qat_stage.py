"""The qat stage by each recipe's way: what it leaves, what is said of the simulated network, and what a kill loses."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from simulating import SIZE, contents, record, run, small, step, write_float
from tensorflow.python.framework.config import is_op_determinism_enabled

import stages.network
from stages.contract import InputError
from stages.convert.spec import RECIPES
from stages.images import ImageSet, as_floats
from stages.qat import fit, processor
from stages.qat.settings import Settings
from stages.qat.stock import load_simulated
from stages.qat.ways import find_way
from stages.train import runtime
from stages.trained import load_trained

if TYPE_CHECKING:
    from pathlib import Path

    from stages.contract import Step

# TFMOT serialises initialisers in a way that Keras 2.15 finds improper.
pytestmark = pytest.mark.filterwarnings("ignore:The `keras.initializers.serialize:UserWarning")


TRAINED = [name for name, recipe in RECIPES.items() if recipe.trained]


@pytest.fixture
def trained(tmp_path: Path, wide: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stages.network, "build", lambda _name, size, classes: small(size, classes))
    monkeypatch.setattr(runtime, "configure", lambda *_: None)  # possible only before TensorFlow is first used
    return write_float(tmp_path / "float", wide)


def test_on_a_gpu_operations_may_come_in_any_order_and_the_step_says_so(
    tmp_path: Path, trained: Path, wide: Path
) -> None:
    made = step(tmp_path / "made", trained, wide, device="gpu")
    try:
        processor.configure(made, Settings.read(made.parameters))
        assert not is_op_determinism_enabled()
        assert isinstance(made.events, io.StringIO)
        assert "another training gives other weights" in made.events.getvalue()
    finally:
        tf.config.experimental.enable_op_determinism()


def test_every_trained_recipe_has_its_way() -> None:
    assert all(callable(find_way(recipe)) for recipe in TRAINED)
    assert len({find_way(recipe) for recipe in TRAINED}) == len(TRAINED)


def start(folder: Path, trained: Path, dataset: Path, recipe: str) -> Path | None:
    """Train what a recipe goes on from, where it does."""
    base = RECIPES[recipe].base
    if base is None:
        return None
    made = step(folder / "base", trained, dataset, recipe=base, epochs=1)
    run(made)
    return made.out


class KilledError(Exception):
    """The process ends here."""


@pytest.mark.parametrize("recipe", TRAINED)
def test_a_killed_training_goes_on_to_the_same_bytes(
    tmp_path: Path, trained: Path, wide: Path, monkeypatch: pytest.MonkeyPatch, recipe: str
) -> None:
    begun = start(tmp_path, trained, wide, recipe)
    whole = step(tmp_path / "whole", trained, wide, begun, recipe=recipe)
    run(whole)
    killed = step(tmp_path / "killed", trained, wide, begun, recipe=recipe)
    saved = fit.Checkpoints.save

    def save_and_die(checkpoints: Any, model: Any, state: Any) -> None:
        saved(checkpoints, model, state)
        if state.schedule.epoch:
            raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(fit.Checkpoints, "save", save_and_die)
        with pytest.raises(KilledError):
            run(killed)
    again = step(tmp_path / "killed", trained, wide, begun, recipe=recipe)
    run(again)
    assert record(again)["facts"]["resumed_at_epoch"] == 1
    assert contents(again) == contents(whole)
    assert [line.split(",")[0] for line in contents(whole)["history.csv"].decode().splitlines()] == ["epoch", "1", "2"]
    assert record(whole)["facts"]["images"]["train"] == 16
    _check_test(whole)
    CHECKS[recipe](whole, trained)


def test_what_no_epoch_betters_is_kept_as_it_began(
    tmp_path: Path, trained: Path, wide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([0.1, 0.2, 0.3])
    monkeypatch.setattr(fit.Training, "validate", lambda *_: {"val_loss": next(losses), "val_accuracy": 0.5})
    made = step(tmp_path / "made", trained, wide, recipe="qat-int8")
    run(made)
    found = {one["metric"]: one["value"] for one in record(made)["numbers"]}
    assert (found["best_epoch"], found["validation_loss"]) == (0, 0.1)
    pixels = as_floats(np.random.default_rng(1).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8))
    begun, kept = (load_trained(folder)[0].predict(pixels, verbose=0) for folder in (trained, made.out))
    np.testing.assert_allclose(kept, begun, atol=1e-5)


def _check_test(made: Step) -> None:
    """The numbers are those of the predictions, which are of the test images in their order."""
    rows = list(csv.DictReader((made.out / "predictions.csv").read_text().splitlines()))
    assert [row["path"] for row in rows] == [row.path for row in ImageSet.read(made).rows("test")]
    recalls = [
        np.mean([row["predicted"] == row["label"] for row in rows if row["label"] == label])
        for label in ("0", "1", "2")
    ]
    numbers = {one["metric"]: one for one in record(made)["numbers"]}
    found = numbers["simulated_balanced_accuracy"]
    assert found["value"] == pytest.approx(np.mean(recalls))
    assert found["interval"][0] <= found["value"] <= found["interval"][1]
    assert (found["n"], found["runtime"]) == (len(rows), "keras-cpu")
    assert {"simulated_accuracy", "simulated_macro_f1", "simulated_recall_nc", "best_epoch"} < set(numbers)
    assert json.loads(contents(made)["metrics.json"])["balanced_accuracy"] == found["value"]


def _is_float(made: Step, trained: Path) -> None:
    """What is left is a float network, rewritten, that the convert stage can load, and it learnt something."""
    model, description = load_trained(made.out)
    assert description["rewritten"] is True
    assert model.count_params() < load_trained(trained)[0].count_params()  # two numbers for each channel, not four
    pixels = _pixels(made)
    assert np.abs(model(pixels) - load_trained(trained)[0](pixels)).max() > 0


def _is_simulating(made: Step, trained: Path) -> None:
    """What is left is the network that was tested, and no other stage takes it for a float one."""
    network = load_simulated(made.out)
    rows = list(csv.DictReader((made.out / "predictions.csv").read_text().splitlines()))
    tested = np.array([[float(row[f"p{index}"]) for index in range(3)] for row in rows], np.float32)
    assert np.allclose(network(_pixels(made), training=False), tested, atol=1e-6)
    before = load_trained(trained)[0].get_layer("lone").moving_mean
    assert np.abs(network.get_layer("lone").moving_mean - before).max() > 0  # BatchNorm saw the batches
    with pytest.raises(InputError):
        load_trained(made.out)
    with pytest.raises(InputError, match="not that of a network with quantised layers"):
        load_simulated(trained)


CHECKS = {"qat-int8": _is_float, "qat-int8-paper": _is_simulating, "qat-int4": _is_float, "int2": _is_float}


def _pixels(made: Step) -> Any:
    images = ImageSet.read(made)
    return as_floats(np.stack([images.load(row, SIZE) for row in images.rows("test")]))


def test_a_network_with_quantised_layers_is_not_filled_from_a_damaged_file(
    tmp_path: Path, trained: Path, wide: Path
) -> None:
    made = step(tmp_path / "made", trained, wide, recipe="qat-int8-paper", epochs=1)
    run(made)
    whole = (made.out / "weights.h5").read_bytes()
    for content in (b"", whole[: len(whole) // 2], (trained / "weights.h5").read_bytes()):
        (made.out / "weights.h5").write_bytes(content)
        with pytest.raises(InputError, match=r"weights\.h5 of the trained resnet50v2 cannot be used"):
            load_simulated(made.out)
