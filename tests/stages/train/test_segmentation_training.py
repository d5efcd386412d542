"""unet447 in the train stage: its size, its loss, and that it learns to find lines on a tiny data set."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
import tensorflow as tf
from masked import make_masked
from tiny import parameters

from stages.contract import Step
from stages.models import build
from stages.tasks.learning import overlap_and_entropy
from stages.tasks.segmentation import Segmentation
from stages.train.__main__ import main
from stages.trained import load_trained

SIZE = 16


def test_it_has_447_parameters_whatever_the_size() -> None:
    for size in (16, 64):
        network = build("unet447", size, 2)
        assert network.count_params() == 447
        assert network.output_shape == (None, size, size, 1)


def test_it_refuses_what_it_cannot_be() -> None:
    for size, classes in ((15, 2), (16, 3)):
        with pytest.raises(ValueError, match="one kind of pixel"):
            build("unet447", size, classes)


def test_finding_nothing_costs_more_than_finding_what_is_there() -> None:
    truth = np.zeros((2, 10, 10, 1), np.float32)
    truth[0, 3] = 1  # 5 % of all pixels
    nothing, all_of_it, right = np.full_like(truth, 0.01), np.full_like(truth, 0.99), np.where(truth, 0.99, 0.01)
    losses = [float(overlap_and_entropy(truth, said.astype(np.float32))) for said in (right, nothing, all_of_it)]
    assert losses[0] < 0.3
    assert losses[1] > 2 * losses[0]  # cross-entropy alone: 0.24 and 0.01
    assert losses[2] > losses[1]


def test_images_without_a_sought_pixel_have_a_finite_loss_and_gradient() -> None:
    said = tf.Variable(np.full((1, 4, 4, 1), 0.5, np.float32))
    with tf.GradientTape() as tape:
        loss = overlap_and_entropy(np.zeros((1, 4, 4, 1), np.float32), said)
    assert np.isfinite(float(loss))
    assert np.isfinite(tape.gradient(loss, said).numpy()).all()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Step:
    folder = tmp_path_factory.mktemp("unet")
    dataset = make_masked(folder / "set", size=SIZE, train=40, test=8)
    values = parameters(
        model="unet447", input_size=SIZE, epochs=12, batch=8, learning_rate=3e-2, stop_patience=50, reduce_patience=50
    )
    for name in ("out", "partial"):
        (folder / name).mkdir()
    step = Step(
        "train", "train/unet447", values, 2, {"dataset": dataset}, folder / "out", folder / "partial", [], io.StringIO()
    )
    with pytest.MonkeyPatch.context() as patched:  # TensorFlow takes its threads once, before its first computation
        for kind in ("intra", "inter"):
            patched.setattr(tf.config.threading, "set_%s_op_parallelism_threads" % kind, lambda _: None)
        main(step)
    return step


def test_it_learns_to_find_lines(trained: Step) -> None:
    told = json.loads((trained.out / "metrics.json").read_text())
    assert told["iou"] > 0.5
    assert told["classes"] == ["other", "line"]
    assert np.sum(told["confusion_matrix"]) == 8 * SIZE * SIZE
    assert told["pixel_accuracy"] > 0.9
    assert "iou" in (trained.out / "classification_report.txt").read_text()


def test_the_history_names_what_is_watched(trained: Step) -> None:
    with (trained.out / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "loss", "iou", "val_loss", "val_iou", "learning_rate"]
    assert float(rows[-1]["val_loss"]) < float(rows[0]["val_loss"])


def test_the_weights_come_back_and_say_the_same(trained: Step) -> None:
    model, description = load_trained(trained.out)
    assert description["classes"] == ["other", "line"]
    from stages.images import as_floats
    from stages.tasks import task_of

    task = task_of("unet447", trained)
    assert isinstance(task, Segmentation)
    rows = task.images.rows("test")
    outputs = model.predict(np.stack([as_floats(task.images.load(row, SIZE)) for row in rows]), verbose=0)
    told = json.loads((trained.out / "metrics.json").read_text())
    assert task.test(rows, outputs, SIZE).as_json()["iou"] == pytest.approx(told["iou"], abs=0.01)
