"""The whole stage on small networks, with and without a stick that measured."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from nets import SIZE, shifted

from stages.contract import InputError, Step
from stages.images import ImageSet, Row
from stages.parity import __main__ as parity
from stages.parity.compare import Seen, pair
from stages.parity.kernels import REFERENCE, XNNPACK, open_file
from stages.parity.outputs import run_one
from stages.parity.recorded import recorded, values_of
from stages.predictions import write_predictions
from stages.tflite.model import Model, Tensor, inputs_and_outputs, read_model
from stages.tflite.patch import Patch

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NO_STICK = {"step": "benchmark/tiny/ptq-int8/edgetpu", "reason": "no Edge TPU on USB"}


def step_of(folder: Path, content: bytes, dataset: Path, **values: Any) -> Step:
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "model.tflite").write_bytes(content)
    (folder / "out").mkdir()
    parameters = {"model": "tiny", "recipe": "ptq-int8", "images": 0, "seed": 1, **values}
    inputs = {"model": folder / "model", "dataset": dataset}
    return Step("parity", "parity", parameters, 2, inputs, folder / "out", None, [NO_STICK], io.StringIO())


def compared(step: Step) -> dict[str, Any]:
    parity.main(step)
    told: dict[str, Any] = json.loads((step.out / "parity.json").read_text())
    return told


def test_kernels_that_agree_are_told_so(tmp_path: Path, calm: bytes, blobs: Path) -> None:
    step = step_of(tmp_path, calm, blobs)
    told = compared(step)
    assert [entry["runtime"] for entry in told["pairs"]] == ["built-in", "xnnpack"]
    for entry in told["pairs"]:
        assert (entry["n"], entry["predictions"], entry["outputs"], entry["largest_steps"]) == (24, 1.0, 1.0, 0)
        assert entry["disagreements"] == []
        assert entry["first_divergence"] is None
    assert told["absent"] == [{"runtime": "edgetpu", "reason": "no Edge TPU on USB"}]
    record = json.loads((step.out / "record.json").read_text())
    assert {(n["metric"], n["runtime"], n["value"], n["n"]) for n in record["numbers"]} == {
        (f"equal_{what}", kernels, 1.0, 24)
        for what in ("predictions", "outputs")
        for kernels in ("built-in", "xnnpack")
    }


def test_every_disagreement_is_listed_and_the_layer_named(tmp_path: Path, forked: bytes, blobs: Path) -> None:
    told = compared(step_of(tmp_path, forked, blobs))
    entry = next(entry for entry in told["pairs"] if entry["runtime"] == XNNPACK)
    images = ImageSet.read(step_of(tmp_path / "again", forked, blobs))
    wanted = {}
    for row in images.rows("test"):
        one, other = (run_one(open_file(forked, kernels), images.load(row, SIZE)) for kernels in (XNNPACK, REFERENCE))
        if (one != other).any():
            wanted[row.path] = [one.tolist(), other.tolist()]
    assert wanted, "the network is meant to be one on which kernels differ"
    assert {one["image"]: one["outputs"] for one in entry["disagreements"]} == wanted
    assert entry["outputs"] == (24 - len(wanted)) / 24
    assert entry["largest_steps"] == max(int(np.abs(np.subtract(*both)).max()) for both in wanted.values())
    found = entry["first_divergence"]
    assert found["image"] == entry["disagreements"][0]["image"]
    assert found["layer"] in {"stem", "left", "pooled", "right", "joined", "last", "head"}
    assert 0 < found["different"] <= found["elements"]


def test_the_outputs_do_not_depend_on_the_number_of_threads(tmp_path: Path, forked: bytes, blobs: Path) -> None:
    two, one = step_of(tmp_path / "two", forked, blobs), step_of(tmp_path / "one", forked, blobs)
    one.threads = 1
    assert compared(two) == compared(one)


def test_a_draw_takes_every_class_in_its_share(tmp_path: Path, calm: bytes, blobs: Path) -> None:
    step = step_of(tmp_path, calm, blobs, images=9)
    rows = parity.draw(step, ImageSet.read(step))
    assert sorted(row.label for row in rows) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert rows == parity.draw(step, ImageSet.read(step))
    step.parameters["seed"] = 2
    assert rows != parity.draw(step, ImageSet.read(step))


def reference_seen(content: bytes, dataset: Path, folder: Path) -> tuple[list[Row], NDArray[Any], Model]:
    images = ImageSet.read(step_of(folder, content, dataset))
    rows, interpreter = list(images.rows("test")), open_file(content, REFERENCE)
    return rows, np.stack([run_one(interpreter, images.load(row, SIZE)) for row in rows]), read_model(content)


def test_what_a_stick_gave_is_compared_byte_by_byte(tmp_path: Path, forked: bytes, blobs: Path) -> None:
    rows, values, model = reference_seen(forked, blobs, tmp_path / "reference")
    (output,) = inputs_and_outputs(model)[1]
    values[5] = np.roll(values[5], 1)
    real = ((values.astype(np.float32) - output.zero_points[0]) * np.float32(output.scales[0])).astype(np.float32)
    step = step_of(tmp_path / "step", forked, blobs)
    step.missing, step.inputs["benchmark.tiny.ptq-int8.edgetpu"] = [], tmp_path / "stick"
    (tmp_path / "stick").mkdir()
    write_predictions(tmp_path / "stick" / "predictions.csv", rows, real)
    told = compared(step)
    stick = told["pairs"][-1]
    assert (stick["runtime"], stick["n"], stick["outputs"]) == ("edgetpu", 24, 23 / 24)
    assert [entry["image"] for entry in stick["disagreements"]] == [rows[5].path]
    assert stick["first_divergence"] is None
    assert "not looked for" in stick["note"]
    assert told["absent"] == []


def test_probabilities_that_are_no_bytes_of_the_file_leave_the_predictions(tmp_path: Path) -> None:
    rows = [Row(f"test/nc/{n}.png", 2, "") for n in range(3)]
    path = tmp_path / "predictions.csv"
    write_predictions(path, rows, np.array([[0.1, 0.2, 0.7]] * 3, np.float32))
    seen = recorded(path, rows, Tensor("out", "uint8", (1, 3), (), (1 / 256,), (0,)))
    assert seen.values is None
    told = pair(seen, Seen.of("reference", np.array([[1, 2, 3], [3, 2, 1], [1, 2, 3]], np.uint8)), rows)
    assert (told["predictions"], told["outputs"], told["largest_steps"]) == (2 / 3, None, None)
    assert [entry["outputs"] for entry in told["disagreements"]] == [[None, [3, 2, 1]]]


def test_of_many_classes_the_predictions_alone_are_recorded(tmp_path: Path) -> None:
    rows = [Row(f"test/nc/{n}.JPEG", 2, "") for n in range(3)]
    real = np.zeros((3, 40), np.float32)
    real[:, 7] = 0.25  # whole numbers of 1/256, as the classes beside them are
    write_predictions(tmp_path / "predictions.csv", rows, real)
    seen = recorded(tmp_path / "predictions.csv", rows, Tensor("out", "uint8", (1, 40), (), (1 / 256,), (0,)))
    assert seen.values is None
    assert seen.predictions.tolist() == [7, 7, 7]


def test_a_prediction_that_is_missing_is_the_users_error(tmp_path: Path) -> None:
    rows = [Row("test/nc/0.png", 2, ""), Row("test/nc/1.png", 2, "")]
    write_predictions(tmp_path / "predictions.csv", rows[:1], np.array([[0.25, 0.5]], np.float32))
    with pytest.raises(InputError, match=r"lack image 'test/nc/1.png'"):
        recorded(tmp_path / "predictions.csv", rows, Tensor("out", "uint8", (1, 2), (), (1 / 256,), (0,)))


@pytest.mark.parametrize(("scale", "zero_point"), [(1 / 256, 0), (0.0078125, -128), (0.0371, 7)])
def test_bytes_come_back_from_what_the_benchmark_writes(scale: float, zero_point: int) -> None:
    low, high = (-128, 128) if zero_point < 0 else (0, 256)
    values = np.arange(low, high, dtype=np.int64)[None]
    real = ((values.astype(np.float32) - zero_point) * np.float32(scale)).astype(np.float32)
    printed = np.array([[float("%.9g" % value) for value in real[0]]], np.float32)
    found = values_of(printed, Tensor("out", "uint8", (1, 256), (), (float(np.float32(scale)),), (zero_point,)))
    assert found is not None
    assert np.array_equal(found, values)


def test_a_file_that_does_not_take_bytes_is_refused(tmp_path: Path, forked: bytes, blobs: Path) -> None:
    inner = Patch(forked)
    inner.set_output(0, read_model(forked).main.operators[1].outputs[0])
    assert compared(step_of(tmp_path / "inner", inner.content(), blobs))["pairs"]  # any 8-bit output will do
    floats = open_floats()
    with pytest.raises(InputError, match="full int8"):
        parity.main(step_of(tmp_path / "floats", floats, blobs))


def open_floats() -> bytes:
    import tensorflow as tf

    from stages.convert.network import float_flatbuffer

    entry = tf.keras.layers.Input((SIZE, SIZE, 3))
    return float_flatbuffer(tf.keras.Model(entry, tf.keras.layers.Dense(3)(tf.keras.layers.Flatten()(entry))))


def test_a_broken_file_is_not_equal_to_the_whole_one(tmp_path: Path, forked: bytes, blobs: Path) -> None:
    rows, whole, _ = reference_seen(forked, blobs, tmp_path / "whole")
    _, broken, _ = reference_seen(shifted(forked, "last", 4000), blobs, tmp_path / "broken")
    told = pair(Seen.of("broken", broken), Seen.of("whole", whole), rows)
    assert told["outputs"] < 1
    assert told["disagreements"]


def test_a_delegate_that_takes_nothing_is_absent_and_not_equal(tmp_path: Path, calm: bytes, blobs: Path) -> None:
    step, model = step_of(tmp_path, calm, blobs), read_model(calm)
    idle = {"runtime": XNNPACK, "operators": len(model.main.operators), "delegated": 0, "not_delegated": {}}
    (told,) = parity.not_run(step, model, [idle])
    assert told["runtime"] == XNNPACK
    assert "takes none of the %d operators" % len(model.main.operators) in told["reason"]
    assert parity.not_run(step, model, [{**idle, "delegated": 3}]) == []
