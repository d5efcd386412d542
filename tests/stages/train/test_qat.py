"""Quantisation-aware training of a tiny network: what is simulated, what is learnt, what a kill loses."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf

import stages.network
from stages.contract import Step
from stages.images import ImageSet, as_floats
from stages.models import build
from stages.network import SCHEMA, VERSION
from stages.qat import fit
from stages.qat.__main__ import main
from stages.qat.spec import SPEC
from stages.qat.student import Student, quantised_outputs
from stages.rewrite import rewrite
from stages.train import runtime
from stages.trained import load_trained

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

layers = tf.keras.layers
SIZE = 32
FILES = ("weights.h5", "model.json", "history.csv", "metrics.json")
# TFMOT serialises initialisers in a way that Keras 2.15 finds improper.
pytestmark = pytest.mark.filterwarnings("ignore:The `keras.initializers.serialize:UserWarning")


def network() -> Any:
    """Build one of each kind of connection."""
    tf.keras.utils.set_random_seed(2)
    entry = layers.Input((16, 16, 3))
    first = layers.ReLU(name="relu")(layers.BatchNormalization(name="bn")(layers.Conv2D(8, 3, name="conv")(entry)))
    deep = layers.BatchNormalization(name="deep_bn")(layers.DepthwiseConv2D(3, padding="same", name="deep")(first))
    joined = layers.ReLU(name="joined")(layers.Add(name="add")([first, deep]))
    pooled = layers.GlobalAveragePooling2D(name="mean")(layers.MaxPooling2D(name="max")(joined))
    return tf.keras.Model(entry, layers.Dense(3, activation="softmax", name="head")(pooled))


def limits(lows: NDArray[np.float32], highs: NDArray[np.float32]) -> tuple[float, float]:
    return float(lows.min()), float(highs.max())


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.float32]:
    return np.random.default_rng(1).random((12, 16, 16, 3), np.float32)


@pytest.fixture(scope="module")
def student(pixels: NDArray[np.float32]) -> Student:
    made = Student(network())
    made.observe([pixels[:6], pixels[6:]], limits)
    return made


def test_only_tensors_of_the_file_are_quantised() -> None:
    # conv, deep and add are fused with what follows; max moves values as they are.
    assert quantised_outputs(network()) == {"relu", "deep_bn", "joined", "mean", "head"}


def test_the_simulation_is_near_the_float_network_and_not_equal(student: Student, pixels: NDArray[np.float32]) -> None:
    real, simulated = student.plain(pixels), student.network(pixels, training=False)
    assert 0 < np.abs(real - simulated).max() < 0.05


def test_an_activation_takes_at_most_256_values(student: Student, pixels: NDArray[np.float32]) -> None:
    inner = tf.keras.Model(student.network.input, student.network.get_layer("quant_joined").output)
    values = np.unique(inner(pixels, training=False))
    steps = np.diff(values) / np.diff(values).min()
    assert len(values) <= 256
    assert np.abs(steps - np.rint(steps)).max() < 1e-2


def test_depthwise_kernels_have_a_scale_for_each_channel() -> None:
    made = Student(network())
    kernel = made.plain.get_layer("deep").depthwise_kernel
    kernel.assign(kernel * np.logspace(-4, 0, 8).reshape(1, 1, 8, 1))
    made.take()
    wrapper = made.network.get_layer("quant_deep")
    quantiser = wrapper.quantize_config.get_weights_and_quantizers(wrapper.layer)[0][1]
    rounded = quantiser(kernel, training=False, weights={})
    # With one scale for all, channels ten thousand times smaller would be rounded to nothing.
    assert np.abs(rounded / kernel - 1).mean(axis=(0, 1, 3)).max() < 0.05


def test_ranges_are_observed_once_and_stay(student: Student, pixels: NDArray[np.float32]) -> None:
    variables = student.network.non_trainable_variables
    before = [variable.numpy() for variable in variables]
    student.network(pixels * 3, training=False)
    assert all(np.array_equal(one, two.numpy()) for one, two in zip(before, variables, strict=True))


def test_weights_go_there_and_back_unchanged() -> None:
    made = Student(network())
    before = [weight.numpy() for weight in made.plain.weights]
    for weight in made.plain.weights:
        weight.assign(weight * 0)
    made.give()
    assert all(np.array_equal(one, two.numpy()) for one, two in zip(before, made.plain.weights, strict=True))


def test_a_real_network_is_simulated_with_every_kernel_quantised() -> None:
    plain, _ = rewrite(build("resnet50v2", SIZE, 3))
    copy = tf.keras.models.clone_model(plain)
    made = Student(copy)
    kernels = [one.name for one in copy.layers if type(one).__name__ in {"Conv2D", "DepthwiseConv2D", "Dense"}]
    assert all(made.network.get_layer(f"quant_{one}") for one in kernels)
    pixels = np.random.default_rng(1).random((2, SIZE, SIZE, 3), np.float32)
    made.observe([pixels], limits)
    ranges = [variable for variable in made.network.variables if variable.name.endswith(("_min:0", "_max:0"))]
    assert len(ranges) == 2 * len(quantised_outputs(copy))
    assert np.isfinite(made.network(pixels, training=False)).all()


def small(size: int, classes: int) -> Any:
    """Build a network with a BatchNorm that cannot be folded."""
    entry = layers.Input((size, size, 3))
    first = layers.Conv2D(6, 3, strides=2, padding="same", name="first")(entry)
    lone = layers.ReLU(name="relu")(layers.BatchNormalization(name="lone")(first))
    second = layers.Conv2D(6, 3, padding="same", name="second")(lone)
    pooled = layers.GlobalAveragePooling2D(name="mean")(layers.Add(name="add")([first, second]))
    return tf.keras.Model(entry, layers.Dense(classes, activation="softmax", name="head")(pooled))


@pytest.fixture
def trained(tmp_path: Path, wide: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A float network as the train stage would leave it; it has learnt nothing."""
    folder = tmp_path / "float"
    folder.mkdir()
    monkeypatch.setattr(stages.network, "build", lambda _name, size, classes: small(size, classes))
    tf.keras.utils.set_random_seed(1)
    rows = ImageSet.read(Step("", "", {}, 1, {"dataset": wide}, folder, None)).rows("train")
    small(SIZE, 3).save_weights(str(folder / "weights.h5"))
    description = {
        "schema": SCHEMA,
        "version": VERSION,
        "model": "resnet50v2",
        "input_size": SIZE,
        "classes": ["cc_numu", "cc_nue", "nc"],
        "batchnorm_momentum": 0.0,
        "validation_images": [row.path for row in rows[::5]],
    }
    (folder / "model.json").write_text(json.dumps(description))
    return folder


def step(folder: Path, trained: Path, dataset: Path, **values: Any) -> Step:
    quick = {"model": "resnet50v2", "recipe": "qat-int8", "batch": 8, "epochs": 2, "learning_rate": 1e-4, "images": 16}
    parameters = {**{one.name: one.default for one in SPEC.parameters}, **quick, **values}
    for name in ("out", "partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    places = {"model": trained, "dataset": dataset}
    return Step("qat", "qat", parameters, 2, places, folder / "out", folder / "partial", events=io.StringIO())


def run(made: Step) -> None:
    tf.keras.backend.clear_session()  # a step's process begins to number its layers at none
    main(made)


def contents(made: Step) -> dict[str, bytes]:
    return {name: (made.out / name).read_bytes() for name in FILES}


class KilledError(Exception):
    """The process ends here."""


def test_a_killed_training_goes_on_to_the_same_bytes(
    tmp_path: Path, trained: Path, wide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "configure", lambda *_: None)  # possible only before TensorFlow is first used
    whole = step(tmp_path / "whole", trained, wide)
    run(whole)
    killed = step(tmp_path / "killed", trained, wide)
    saved = fit.Checkpoints.save

    def save_and_die(*arguments: Any) -> None:
        saved(*arguments)
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(fit.Checkpoints, "save", save_and_die)
        with pytest.raises(KilledError):
            run(killed)
    again = step(tmp_path / "killed", trained, wide)
    run(again)
    assert json.loads((again.out / "record.json").read_text())["facts"]["resumed_at_epoch"] == 1
    assert contents(again) == contents(whole)
    _check_outputs(whole, trained, wide)


def _check_outputs(made: Step, trained: Path, dataset: Path) -> None:
    """What is left is a float network, rewritten, that the convert stage can load, and it learnt something."""
    model, description = load_trained(made.out)
    assert description["rewritten"] is True
    assert model.count_params() < load_trained(trained)[0].count_params()  # two numbers for each channel, not four
    assert [line.split(",")[0] for line in (made.out / "history.csv").read_text().splitlines()] == ["epoch", "1", "2"]
    images = ImageSet.read(made)
    pixels = as_floats(np.stack([images.load(row, SIZE) for row in images.rows("test")[:4]]))
    assert np.abs(model(pixels) - load_trained(trained)[0](pixels)).max() > 0
    record = json.loads((made.out / "record.json").read_text())
    assert record["facts"]["images"]["train"] == 16
    assert {one["metric"] for one in record["numbers"]} == {
        *("best_epoch", "validation_loss", "simulated_balanced_accuracy")
    }
    assert dataset == made.inputs["dataset"]
