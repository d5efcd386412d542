"""The benchmark stage on the real tflite-runtime: outputs, records, refusals, and the same predictions on any cores."""

from __future__ import annotations

import csv
import io
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from synthetic import make_dataset
from tflite_runtime.interpreter import Interpreter

from stages.benchmark.__main__ import main
from stages.benchmark.interpreter import open_network
from stages.benchmark.on_cpu import open_on_cpu
from stages.contract import InputError, Step
from stages.images import ImageSet, as_floats

if TYPE_CHECKING:
    from pathlib import Path

QUICK = {"warmup_runs": 2, "min_runs": 20, "min_seconds": 0.01, "threads": 1}


def make_step(out: Path, model: Path, dataset: Path, *, threads: int = 2, **values: Any) -> Step:
    out.mkdir()
    return Step(
        stage="benchmark",
        label="benchmark/blobs",
        parameters={"model": "resnet50v2", "runtime": "tflite-cpu", **QUICK, **values},
        threads=threads,
        inputs={"model": model, "dataset": dataset},
        out=out,
        partial=None,
        events=io.StringIO(),
    )


def measured(step: Step) -> dict[str, dict[str, Any]]:
    main(step)
    record = json.loads((step.out / "record.json").read_text())
    return {number["metric"]: number for number in record["numbers"]}


def predictions(step: Step) -> list[list[str]]:
    with (step.out / "predictions.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_every_number_has_unit_and_count(tmp_path: Path, converted: Path, blobs: Path) -> None:
    numbers = measured(make_step(tmp_path / "out", converted, blobs))
    accuracies = {"balanced_accuracy", "accuracy", "macro_f1", "recall_cc_numu", "recall_cc_nue", "recall_nc"}
    names = ("mean", "std", "p50", "p90", "p95", "p99")
    latencies = {f"latency_{threads}{name}_ms" for threads in ("", "all_threads_") for name in names}
    assert numbers.keys() == accuracies | latencies
    assert {(numbers[name]["unit"], numbers[name]["n"]) for name in accuracies} == {("1", 24)}
    assert {numbers[name]["unit"] for name in latencies} == {"ms"}
    assert numbers["latency_mean_ms"]["n"] >= QUICK["min_runs"]


def test_the_network_is_right_about_its_blobs(tmp_path: Path, converted: Path, blobs: Path) -> None:
    numbers = measured(make_step(tmp_path / "out", converted, blobs))
    assert numbers["balanced_accuracy"]["value"] > 0.9
    low, high = numbers["balanced_accuracy"]["interval"]
    assert 0.7 < low <= numbers["balanced_accuracy"]["value"] <= high <= 1.0


def test_predictions_follow_the_order_of_the_images_and_equal_the_interpreters_own(
    tmp_path: Path, converted: Path, blobs: Path
) -> None:
    step = make_step(tmp_path / "out", converted, blobs)
    main(step)
    header, *lines = predictions(step)
    images = ImageSet.read(step)
    rows = images.rows("test")
    assert header == ["path", "label", "predicted", "p0", "p1", "p2"]
    assert [(line[0], int(line[1])) for line in lines] == [(row.path, row.label) for row in rows]
    expected = np.stack([run(converted, images.load(row, 32)) for row in rows])
    assert np.abs(np.array([line[3:] for line in lines], float) - expected).max() < 1e-6
    assert [int(line[2]) for line in lines] == expected.argmax(axis=1).tolist()


def run(converted: Path, pixels: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(str(converted / "model.tflite"))
    interpreter.allocate_tensors()
    entry, end = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.set_tensor(entry["index"], (as_floats(pixels) if entry["dtype"] is np.float32 else pixels)[None])
    interpreter.invoke()
    scale, zero_point = end["quantization"]
    values: np.ndarray = (interpreter.get_tensor(end["index"])[0].astype(float) - zero_point) * (scale or 1)
    return values


def test_the_number_of_workers_changes_no_prediction(tmp_path: Path, converted: Path, blobs: Path) -> None:
    steps = [make_step(tmp_path / str(threads), converted, blobs, threads=threads) for threads in (1, 3)]
    for step in steps:
        main(step)
    assert predictions(steps[0]) == predictions(steps[1])
    assert len({(step.out / "accuracy.json").read_bytes() for step in steps}) == 1


def test_the_latency_says_what_ran_where(tmp_path: Path, converted: Path, blobs: Path) -> None:
    step = make_step(tmp_path / "out", converted, blobs)
    main(step)
    told = json.loads((step.out / "latency.json").read_text())
    assert told["runs"] >= QUICK["min_runs"]
    assert told["machine"]["cpu_model"]
    assert told["model_load_ms"] > 0
    assert 0 < told["window"]["begin_s"] < told["window"]["end_s"]
    assert told["first_inference_ms"] > 0
    assert told["runtime"]["tflite_runtime"] == "2.14.0"
    is_float = converted.name == "float32"
    assert told["runtime"]["kernels"] == ("XNNPACK" if is_float else "built-in")
    assert told["runtime"]["delegated_operators"] == (told["runtime"]["operators"] if is_float else 0)
    assert (told["runtime"]["int8_operators"] == 0) == is_float
    assert told["load"].keys() >= {"other_cores", "steal", "load_average_before"}


def test_one_thread_and_all_threads_are_measured_apart(tmp_path: Path, converted: Path, blobs: Path) -> None:
    step = make_step(tmp_path / "out", converted, blobs, threads=2)
    numbers = measured(step)
    told = json.loads((step.out / "latency.json").read_text())
    assert (told["threads"], told["all_threads"]["threads"]) == (1, 2)
    assert told["all_threads"]["first_inference_ms"] > 0
    for name, value in told["all_threads"]["milliseconds"].items():
        assert numbers[f"latency_all_threads_{name}_ms"]["value"] == value
    assert numbers["latency_all_threads_p50_ms"]["n"] == told["all_threads"]["runs"] >= QUICK["min_runs"]


def test_where_one_thread_is_all_there_is_one_measurement(tmp_path: Path, converted: Path, blobs: Path) -> None:
    step = make_step(tmp_path / "out", converted, blobs, threads=1)
    assert not any("all_threads" in name for name in measured(step))
    assert json.loads((step.out / "latency.json").read_text())["all_threads"] is None


def test_the_interpreter_gets_the_threads_that_the_record_names(tmp_path: Path, converted: Path, blobs: Path) -> None:
    asked = []

    class Told(Interpreter):  # type: ignore[misc]  # tflite-runtime has no types
        def __init__(self, model_path: str, num_threads: int) -> None:
            asked.append(num_threads)
            super().__init__(model_path, num_threads=num_threads)

    step = make_step(tmp_path / "out", converted, blobs, threads=3)
    runtime = open_on_cpu(step, Told, {})
    assert asked == [1, 1, 1, 1]  # for latency, and for each worker
    assert runtime.on_all_threads is not None
    runtime.on_all_threads(np.zeros((32, 32, 3), np.uint8))()
    assert asked[4:] == [3]


def test_progress_ends_at_the_last_image(tmp_path: Path, converted: Path, blobs: Path) -> None:
    step = make_step(tmp_path / "out", converted, blobs)
    main(step)
    assert isinstance(step.events, io.StringIO)
    told = [json.loads(line) for line in step.events.getvalue().splitlines()]
    assert [event["done"] for event in told if event.get("message") == "accuracy"][-1] == 24


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path, converted: Path) -> None:
    dataset = make_dataset(tmp_path / "data", size=32, train=1, test=2)
    broken = next((dataset / "images" / "test" / "nc").iterdir())
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(InputError, match=broken.name):
        main(make_step(tmp_path / "out", converted, dataset))


def test_a_network_for_other_classes_is_refused(tmp_path: Path, converted: Path) -> None:
    dataset = make_dataset(tmp_path / "data", classes=("cat", "dog", "cow"), train=1, test=1)
    with pytest.raises(InputError, match="'cc_numu', 'cc_nue', 'nc', the data set has 'cat', 'dog', 'cow'"):
        main(make_step(tmp_path / "out", converted, dataset))


def test_a_damaged_file_is_refused(tmp_path: Path, converted: Path, blobs: Path) -> None:
    damaged = shutil.copytree(converted, tmp_path / "damaged")
    (damaged / "model.tflite").write_bytes(b"\0\0\0\0TFL3")
    with pytest.raises(InputError, match="the interpreter refuses the model"):
        main(make_step(tmp_path / "out", damaged, blobs))


def test_a_file_whose_input_is_not_bytes_of_an_image_is_refused(converted: Path) -> None:
    class Shifted(Interpreter):  # type: ignore[misc]  # tflite-runtime has no types
        def get_input_details(self) -> list[dict[str, Any]]:
            return [{**super().get_input_details()[0], "dtype": np.uint8, "quantization": (1 / 128, 128)}]

    with pytest.raises(InputError, match=r"scale 0\.0078125 and zero point 128"):
        open_network(lambda: Shifted(str(converted / "model.tflite")))


def test_an_unknown_runtime_is_refused(tmp_path: Path, converted: Path, blobs: Path) -> None:
    with pytest.raises(InputError, match="no such runtime 'tflite-gpu'"):
        main(make_step(tmp_path / "out", converted, blobs, runtime="tflite-gpu"))
