"""The benchmark stage on the Keras model: the same road and outputs on the CPU; a GPU only where there is one."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from synthetic import make_dataset
from untrained import make_trained

from stages.benchmark import keras_cpu, keras_gpu
from stages.benchmark.__main__ import main
from stages.benchmark.keras_network import batch_of, open_keras
from stages.benchmark.runtime import TooLargeError
from stages.contract import InputError, Step
from stages.images import ImageSet, as_floats
from stages.trained import load_trained

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 32


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # More test images than one batch of 32, so that a last, smaller batch is among them.
    return make_dataset(tmp_path_factory.mktemp("keras") / "data", size=SIZE, test=15)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Path:
    return make_trained(tmp_path_factory.mktemp("keras") / "model", dataset, "efficientnetv2b0", SIZE)


@pytest.fixture
def step(tmp_path: Path, trained: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> Step:
    # Threads are fixed once a process; the step's own process sets them, this one has started long ago.
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", lambda _: None)
    monkeypatch.setattr(tf.config.threading, "set_inter_op_parallelism_threads", lambda _: None)
    out = tmp_path / "out"
    out.mkdir()
    values: dict[str, Any] = {"warmup_runs": 1, "min_runs": 10, "min_seconds": 0.01, "threads": 1}
    inputs = {"model": trained, "dataset": dataset}
    parameters = {"model": "resnet50v2", "runtime": "keras-cpu", **values}
    return Step("benchmark", "benchmark", parameters, 2, inputs, out, None, events=io.StringIO())


def test_predictions_are_those_of_the_network(step: Step, trained: Path) -> None:
    main(step)
    with (step.out / "predictions.csv").open(newline="") as file:
        _header, *lines = csv.reader(file)
    images = ImageSet.read(step)
    rows = images.rows("test")
    pixels = as_floats(np.stack([images.load(row, SIZE) for row in rows]))
    expected = load_trained(trained)[0].predict(pixels, verbose=0)
    assert [line[0] for line in lines] == [row.path for row in rows]
    # Batches of other sizes round differently in the last places.
    assert np.abs(np.array([line[3:] for line in lines], float) - expected).max() < 1e-4
    told = json.loads((step.out / "latency.json").read_text())
    assert (told["runtime"]["kernels"], told["runs"] >= 10) == ("TensorFlow", True)
    assert (told["all_threads"], told["batches"]["streams"]) == (None, 2)
    best = next(one for one in told["batches"]["sizes"] if one["batch"] == told["batches"]["best"])
    record = json.loads((step.out / "record.json").read_text())
    numbers = {number["metric"]: number for number in record["numbers"]}
    assert numbers["images_per_second"]["value"] == best["images_per_second"] > 0
    assert (numbers["best_batch"]["value"], numbers["images_per_second"]["n"]) == (best["batch"], best["images"])


@pytest.mark.parametrize(
    ("kind", "size", "is_too_large"),
    [
        (tf.errors.ResourceExhaustedError, 1, True),
        (tf.errors.ResourceExhaustedError, 2, True),
        *((getattr(tf.errors, name), 2, True) for name in ("NotFoundError", "InternalError", "UnknownError")),
        *((getattr(tf.errors, name), 1, False) for name in ("NotFoundError", "InternalError", "UnknownError")),
        (tf.errors.InvalidArgumentError, 2, False),
    ],
)
def test_a_batch_that_does_not_fit_is_told_as_such(kind: type[Exception], size: int, is_too_large: bool) -> None:
    def full(_pixels: Any) -> Any:
        raise kind(None, None, "no memory, or no algorithm that does with what is left")  # type: ignore[call-arg]

    run = batch_of(full, "/CPU:0", np.zeros((SIZE, SIZE, 3), np.uint8), size)
    with pytest.raises(TooLargeError if is_too_large else kind):
        run()


def test_the_number_of_workers_changes_no_prediction(step: Step) -> None:
    images = ImageSet.read(step)
    pixels = np.stack([images.load(row, SIZE) for row in images.rows("test")[:32]])
    one, two = (open_keras(step, "/CPU:0", workers, {}) for workers in (1, 2))
    assert (len(one.workers), len(two.workers)) == (1, 2)
    found = one.workers[0](pixels)
    assert np.array_equal(found, two.workers[1](pixels))
    assert two.in_batches is not None
    run, _second = two.in_batches(pixels[0], 5)  # the functions whose time is the throughput
    assert np.abs(np.asarray(run()) - np.repeat(found[:1], 5, axis=0)).max() < 1e-5


def test_threads_are_those_of_the_step(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", asked.append)
    monkeypatch.setattr(tf.config.threading, "set_inter_op_parallelism_threads", asked.append)
    assert len(keras_cpu.open_runtime(step).workers) == 2
    assert asked == [1, 2]


def test_without_a_gpu_nothing_runs_on_the_cpu_in_its_place(step: Step) -> None:
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU: there is nothing to refuse")
    with pytest.raises(InputError, match="sees no GPU"):
        keras_gpu.open_runtime(step)
