"""The report stage: each number from a record, what is missing named, the same bytes for the same artifacts."""

from __future__ import annotations

import csv
import json
import shutil
from typing import TYPE_CHECKING

import pytest
from reports import made, row, text
from synthetic_run import NO_COMPILER, SIZES, SPEEDS, Run

from stages.contract import InputError
from stages.report import doctor, edgetpu, handovers, tables
from stages.report.gather import gather
from stages.report.latencies import latencies

if TYPE_CHECKING:
    from pathlib import Path

    from stages.contract import Step

FILES = ("report.html", "report.md", "results.csv", "results.json")


def test_a_difference_is_called_one_only_when_it_is(run: Run) -> None:
    assert handovers.Pair(images=600, same=590, lost=6, won=4).verdict == "no difference shown"
    assert handovers.Pair(images=600, same=560, lost=30, won=10).verdict == "worse"
    assert handovers.Pair(images=600, same=560, lost=10, won=30).verdict == "better"
    assert handovers.Pair(images=600, same=600, lost=0, won=0).p_value == 1.0
    assert handovers.Pair(images=100, same=90, lost=1, won=9).p_value == pytest.approx(0.021484375)  # 2 * 11 / 1024
    table = handovers.handovers(gather(run.step(run.root / "handed")))
    found = row(table, "inceptionv3", "float32, tflite-cpu", "ptq-int8, tflite-cpu")
    before, after = (run.inputs[f"benchmark.inceptionv3.{recipe}.tflite-cpu"] for recipe in ("float32", "ptq-int8"))
    both = [list(csv.DictReader((folder / "predictions.csv").read_text().splitlines())) for folder in (before, after)]
    lost = sum(
        old["label"] == old["predicted"] and new["label"] != new["predicted"] for old, new in zip(*both, strict=True)
    )
    assert found["right only before"].text == str(lost)


def test_a_prediction_never_looks_like_a_measurement(run: Run) -> None:
    gathered = gather(run.step(run.root / "predicted"))
    cell = row(tables.headline(gathered), "inceptionv3", "ptq-int8")["Edge TPU: p50, ms"]
    assert cell.kind == "predicted"
    assert cell.text.startswith("~")
    assert "not measured" in cell.title
    predicted = row(edgetpu.predictions(gathered), "inceptionv3", "ptq-int8")
    assert predicted["mapped"].text == "4 of 4"
    assert predicted["latency, ms"].text == cell.text
    assert predicted["first blocker"].text == "none"


def test_every_declared_output_is_there(report: Step) -> None:
    assert {path.name for path in report.out.iterdir()} == {*FILES, "figures", "record.json"}


def test_the_same_artifacts_give_the_same_bytes(run: Run, report: Step, tmp_path: Path) -> None:
    moved = Run(tmp_path / "elsewhere", inputs=dict(reversed(run.inputs.items())), missing=run.missing[::-1])
    for name, folder in moved.inputs.items():
        moved.inputs[name] = shutil.copytree(folder, moved.root / name)
    again = made(moved, tmp_path / "out")
    paths = sorted(path.relative_to(report.out) for path in report.out.rglob("*") if path.is_file())
    assert paths == sorted(path.relative_to(again.out) for path in again.out.rglob("*") if path.is_file())
    for path in paths:
        assert (again.out / path).read_bytes() == (report.out / path).read_bytes(), path


def test_no_time_and_no_place_of_this_machine_is_told(report: Step) -> None:
    for path in report.out.rglob("*"):
        if path.is_file() and path.suffix != ".png":
            content = path.read_text(encoding="utf-8")
            assert str(report.out.parent.parent) not in content
            assert "2026-01-01" not in content


def test_remedies_stand_in_their_order_with_their_scores(run: Run, tmp_path: Path) -> None:
    table = doctor.remedies(gather(run.step(tmp_path / "out")))
    of_one = [[cell.text for cell in cells] for cells in table.rows if cells[0].text == "inceptionv3"]
    assert [cells[2] for cells in of_one] == [
        *("float32", "minimum and maximum", "ranges by mean-of-extremes", "sequential bias correction")
    ]
    assert of_one[1] == ["inceptionv3", "ptq-int8", "minimum and maximum", "0.550", "0.600", "0.2000", "0.6000"]


def test_noisy_activations_are_named_briefly_and_in_full(run: Run, tmp_path: Path) -> None:
    table = doctor.activations(gather(run.step(tmp_path / "out")))
    first, second = ([*cells] for cells in table.rows[:2])
    assert (first[2].text, first[3].text, first[5].text) == ("block/add", "ADD, 17", "12.3")
    assert first[2].title.endswith("very_long")
    assert (len(second[2].text), second[5].text) == (60, "-1.5")


def test_a_run_without_a_search_has_no_section_for_it(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    run.dataset()
    run.train("inceptionv3", 1)
    run.convert("inceptionv3", "float32")
    step = made(run, tmp_path / "out")
    assert "Noisiest" not in text(step, "report.html") + text(step, "report.md")


def test_results_are_all_numbers_of_all_records(run: Run, report: Step) -> None:
    document = json.loads(text(report, "results.json"))
    records = [json.loads((folder / "record.json").read_text()) for folder in run.inputs.values()]
    assert (document["schema"], document["version"]) == ("coralline.results", 1)
    assert len(document["rows"]) == sum(len(record["numbers"]) for record in records)
    keras = [one for one in document["rows"] if one["recipe"] == "float32-keras" and one["metric"] == "macro_f1"]
    assert {(one["model"], one["runtime"], one["n"]) for one in keras} == {
        ("inceptionv3", "keras-cpu", 72),
        ("resnet50v2", "keras-cpu", 72),
    }
    expected = {"artifact", "host", "interval", "metric", "model", "n", "recipe", "runtime", "unit", "value"}
    assert all(set(one) == expected for one in document["rows"])


def test_the_table_of_results_is_the_same_as_the_json(report: Step) -> None:
    rows = json.loads(text(report, "results.json"))["rows"]
    with (report.out / "results.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [float(line["value"]) for line in lines] == [one["value"] for one in rows]
    assert [line["artifact"] for line in lines] == [one["artifact"] for one in rows]
    assert [line["low"] for line in lines] == [str(one["interval"][0]) if one["interval"] else "" for one in rows]


def test_sizes_are_compared_with_the_float32_file(run: Run, tmp_path: Path) -> None:
    found = row(tables.headline(gather(run.step(tmp_path / "out"))), "inceptionv3", "ptq-int8")
    assert found["CPU: size, KB"].text == "22,846"
    assert found["CPU: saved, %"].text == f"{100 * (1 - SIZES['ptq-int8'] / SIZES['float32']):.1f}" == "73.8"
    assert found["CPU: ratio"].text == "3.82"
    assert "22846208 of 87301224 bytes" in found["CPU: ratio"].title


def test_latencies_and_speed_up_come_from_the_benchmarks(run: Run, tmp_path: Path) -> None:
    (table,) = latencies(gather(run.step(tmp_path / "out")))
    assert table.title == "Latency on Example CPU 9000, 2 cores"
    found = row(table, "resnet50v2", "ptq-int8", "tflite-cpu", "1")
    assert found["mean, ms"].text == "9.70"
    assert found["runs"].text == "123"
    assert found["speed-up"].text == f"{SPEEDS['float32'] / SPEEDS['ptq-int8']:.2f}"
    assert found["runtime"].detail == "built-in"


def test_each_number_of_threads_has_a_row_of_its_own(run: Run, tmp_path: Path) -> None:
    (table,) = latencies(gather(run.step(tmp_path / "out")))
    found = row(table, "resnet50v2", "ptq-int8", "litert-cpu", "2")
    assert (found["mean, ms"].text, found["runs"].text) == ("2.91", "223")
    assert found["speed-up"].text == f"{SPEEDS['float32'] / (0.3 * SPEEDS['ptq-int8']):.2f}"
    assert found["load, ms"].is_absent  # the file was loaded for the row above


def test_the_best_batch_stands_beside_single_images(run: Run, tmp_path: Path) -> None:
    (table,) = latencies(gather(run.step(tmp_path / "out")))
    found = row(table, "resnet50v2", "float32-keras", "keras-cpu", "1")
    assert (found["images/s"].text, found["in batches of"].text) == (f"{2300 / SPEEDS['float32-keras']:.1f}", "8")
    assert row(table, "resnet50v2", "float32", "tflite-cpu", "1")["images/s"].is_absent


def test_other_kernels_are_a_hand_over_of_the_same_file(run: Run, tmp_path: Path) -> None:
    table = handovers.handovers(gather(run.step(tmp_path / "out")))
    found = row(table, "inceptionv3", "ptq-int8, tflite-cpu", "ptq-int8, litert-cpu")
    assert found["same answer, %"].text == "100.0"


def test_every_measured_cell_leads_to_its_artifact(run: Run, tmp_path: Path) -> None:
    gathered = gather(run.step(tmp_path / "out"))
    values = {one.key: [number["value"] for number in one.record["numbers"]] for one in gathered.artifacts}
    cells = [
        cell
        for build in (tables.headline, tables.accuracy, tables.sizes)
        for line in build(gathered).rows
        for cell in line
    ]
    measured = [cell for cell in cells if cell.kind == "number"]
    assert len(measured) > 100
    for cell in measured:
        assert cell.artifact is not None
        assert any(abs(cell.sort - scale * value) < 1e-9 for scale in (1, 1e-3) for value in values[cell.artifact.key])


def test_agreement_with_keras_is_counted_image_by_image(run: Run, tmp_path: Path) -> None:
    table = tables.accuracy(gather(run.step(tmp_path / "out")))
    with (run.inputs["benchmark.inceptionv3.float32-keras.keras-cpu"] / "predictions.csv").open() as file:
        keras = [line["predicted"] for line in csv.DictReader(file)]
    with (run.inputs["benchmark.inceptionv3.ptq-int8.tflite-cpu"] / "predictions.csv").open() as file:
        int8 = [line["predicted"] for line in csv.DictReader(file)]
    same = sum(one == other for one, other in zip(keras, int8, strict=True))
    found = row(table, "inceptionv3", "ptq-int8", "tflite-cpu")["agrees with Keras, %"]
    assert found.text == f"{100 * same / 72:.1f}"
    assert found.title == f"{same} of 72 test images get the same class"


def test_what_was_not_compiled_says_so_with_the_reason_and_no_number(run: Run, report: Step, tmp_path: Path) -> None:
    table = tables.headline(gather(run.step(tmp_path / "out")))
    found = row(table, "inceptionv3", "ptq-int8")
    for column in ("Edge TPU: size, KB", "Edge TPU: balanced accuracy"):
        assert (found[column].text, found[column].kind, found[column].artifact) == ("not compiled", "missing", None)
    assert table.notes == [NO_COMPILER]
    for name in ("report.html", "report.md"):
        assert "not compiled" in text(report, name)
        assert NO_COMPILER.replace("_", "\\_" if name.endswith("md") else "_") in text(report, name).replace(
            "&#39;", "'"
        )


def test_what_was_compiled_and_measured_is_shown(tmp_path: Path) -> None:
    run = Run(tmp_path).whole("inceptionv3")
    run.missing.clear()
    run.compile("inceptionv3", "ptq-int8")
    run.benchmark("inceptionv3", "ptq-int8", "edgetpu")
    found = row(tables.headline(gather(run.step(tmp_path / "out"))), "inceptionv3", "ptq-int8")
    assert found["Edge TPU: size, KB"].text == "24,100"
    assert found["Edge TPU: p50, ms"].text == "1.90"


def test_a_missing_stick_is_not_a_missing_compiler(tmp_path: Path) -> None:
    run = Run(tmp_path).whole("inceptionv3")
    run.compile("inceptionv3", "ptq-int8")
    run.missing = [{"step": "benchmark/inceptionv3/ptq-int8/edgetpu", "reason": "no Edge TPU found on USB"}]
    table = tables.headline(gather(run.step(tmp_path / "out")))
    found = row(table, "inceptionv3", "ptq-int8")
    assert found["Edge TPU: size, KB"].text == "24,100"
    assert found["Edge TPU: balanced accuracy"].text == "not measured"
    assert found["Edge TPU: p50, ms"].kind == "predicted"
    assert table.notes == ["no Edge TPU found on USB"]


def test_two_data_sets_or_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a report needs one data set, found 0"):
        gather(Run(tmp_path).step(tmp_path / "out"))


def test_a_folder_that_is_no_artifact_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.dataset()
    run.edit("dataset", schema="something")
    with pytest.raises(InputError, match="'dataset' is no artifact that a report knows"):
        gather(run.step(tmp_path / "out"))
