"""The report stage: each number from a record, what is missing named, the same bytes for the same artifacts."""

from __future__ import annotations

import csv
import html
import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from htmlpage import Page
from synthetic_run import HOST, NO_COMPILER, SIZES, SPEEDS, Run

from stages.accuracy import evaluate
from stages.contract import InputError
from stages.drawing import FONT
from stages.report import __main__ as stage
from stages.report import doctor, edgetpu, handovers, tables, words
from stages.report.gather import gather
from stages.report.latencies import latencies

if TYPE_CHECKING:
    from pathlib import Path

    from stages.contract import Step
    from stages.report.table import Cell, Table

FILES = ("report.html", "report.md", "results.csv", "results.json")
NASTY = ("<script>alert(1)", "<img src=x onerror=alert(1)>", "$x^2$ | `a` *b*", "q\"&amp;'")


def made(run: Run, out: Path, **parameters: Any) -> Step:
    step = run.step(out, **parameters)
    stage.main(step)
    return step


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("run")).whole("inceptionv3", "resnet50v2")


@pytest.fixture(scope="module")
def report(run: Run) -> Step:
    return made(run, run.root / "report" / "out")


def text(step: Step, name: str) -> str:
    return (step.out / name).read_text(encoding="utf-8")


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


def row(table: Table, *words: str) -> dict[str, Cell]:
    """The row of a table that begins with the given words, by heading."""
    found = [cells for cells in table.rows if tuple(cell.text for cell in cells[: len(words)]) == words]
    assert len(found) == 1
    return dict(zip(table.plain_columns, found[0], strict=True))


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


def on_two_machines(tmp_path: Path, other: dict[str, Any]) -> Run:
    """A run whose resnet50v2 was measured elsewhere."""
    run = Run(tmp_path / "run").whole("inceptionv3", "resnet50v2")
    for name in run.inputs:
        if name.startswith("benchmark.resnet50v2."):
            run.edit(name, host={**HOST, **other})
    return run


def test_latencies_of_two_machines_never_share_a_table(tmp_path: Path) -> None:
    run = on_two_machines(tmp_path, {"cpu_model": "Other CPU", "cores": 64, "fingerprint": 2 * "89abcdef"})
    gathered = gather(run.step(tmp_path / "out"))
    found = latencies(gathered)
    assert [table.name for table in found] == ["latency", "latency-2"]
    titles = ["Latency on Example CPU 9000, 2 cores", "Latency on Other CPU, 64 cores"]
    assert [table.title for table in found] == titles
    assert [{line[0].text for line in table.rows} for table in found] == [{"inceptionv3"}, {"resnet50v2"}]
    assert sum(len(table.rows) for table in found) == 34
    step = made(run, tmp_path / "report")
    page = Page(text(step, "report.html"))
    assert {"latency", "latency-2"} <= set(page.ids)
    for title in titles:
        assert f"## {title}" in text(step, "report.md")
        assert title in page.words
    assert text(step, "report.md").count("## Training") == 1


def test_two_machines_of_one_kind_are_two_machines(tmp_path: Path) -> None:
    run = on_two_machines(tmp_path, {"fingerprint": 2 * "89abcdef"})
    titles = [table.title for table in latencies(gather(run.step(tmp_path / "out")))]
    assert titles == [f"Latency on Example CPU 9000, 2 cores ({digits})" for digits in ("012345", "89abcd")]


def test_the_first_table_has_a_column_for_each_machine(tmp_path: Path) -> None:
    run = on_two_machines(tmp_path, {"cpu_model": "Other CPU", "fingerprint": 2 * "89abcdef"})
    table = tables.headline(gather(run.step(tmp_path / "out")))
    here, there = ("CPU: p50, ms, Example CPU 9000, 2 cores", "CPU: p50, ms, Other CPU, 2 cores")
    for model, own, foreign in (("inceptionv3", here, there), ("resnet50v2", there, here)):
        found = row(table, model, "ptq-int8")
        assert found[own].text == f"{0.98 * SPEEDS['ptq-int8']:.2f}"
        assert found[foreign].is_absent
        assert found["CPU: balanced accuracy"].kind == "number"


def test_speed_is_not_compared_between_machines(tmp_path: Path) -> None:
    run = Run(tmp_path / "run").whole("inceptionv3")
    run.edit("benchmark.inceptionv3.ptq-int8.tflite-cpu", host={**HOST, "fingerprint": 2 * "89abcdef"})
    gathered = gather(run.step(tmp_path / "out"))
    for table in latencies(gathered):
        for line in table.rows:
            of_other = [cell.text for cell in line[1:3]] == ["ptq-int8", "tflite-cpu"]
            assert line[table.columns.index("speed-up")].is_absent == of_other
    (found,) = words.summary(gathered)
    assert found["latency_note"] == "on two machines: not to be compared"


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


def test_the_page_is_balanced_and_every_link_has_its_target(report: Step) -> None:
    page = Page(text(report, "report.html"))
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_the_page_loads_nothing(report: Step) -> None:
    source = text(report, "report.html")
    page = Page(source)
    assert all(link.startswith("#") or link == "data:," for link in page.links)
    assert all(place.startswith("data:image/png;base64,") for place in page.sources)
    assert not re.search(r"@import|url\((?!#)", source)
    assert "default-src 'none'" in source.replace("&#39;", "'")


def test_the_page_says_what_the_data_are(tmp_path: Path, report: Step) -> None:
    assert "neither GENIE nor Geant4" in text(report, "report.html")
    assert "neither GENIE nor Geant4" in text(report, "report.md")
    run = Run(tmp_path)
    run.dataset(source="folder", skipped=[{"path": "train/nc/1.png", "reason": "not a PNG image"}])
    page = text(made(run, tmp_path / "out"), "report.html")
    assert "GENIE" not in page
    assert "1 images could not be used" in page
    assert "<code>train/nc/1.png</code> (not a PNG image)" in page


def test_a_short_training_says_that_it_is_short(report: Step) -> None:
    assert "The limit of epochs ended the training" in text(report, "report.html")


def test_a_network_that_was_only_evaluated_has_no_curves(tmp_path: Path) -> None:
    step = made(Run(tmp_path).whole("inceptionv3", epochs=0), tmp_path / "out")
    assert "inceptionv3 was not trained here, only evaluated." in text(step, "report.html")
    assert not list((step.out / "figures").glob("curves*"))


def test_warnings_of_the_steps_are_repeated(tmp_path: Path) -> None:
    run = Run(tmp_path).whole("inceptionv3")
    run.edit("benchmark.inceptionv3.float32.tflite-cpu", warnings=["latency is uncertain: <1.5> other processes"])
    step = made(run, tmp_path / "out")
    assert "latency is uncertain: &lt;1.5&gt; other processes" in text(step, "report.html")
    assert "latency is uncertain: &lt;1.5> other processes" in text(step, "report.md")


def test_a_run_that_made_nothing_but_data_still_has_a_report(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.dataset()
    run.miss("train/inceptionv3", "this machine has no wheel of TensorFlow 2.15")
    step = made(run, tmp_path / "out")
    Page(text(step, "report.html"))
    assert "this machine has no wheel of TensorFlow 2.15" in text(step, "report.html")
    assert "inceptionv3" in text(step, "report.html")


def test_hostile_names_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    step = made(Run(tmp_path, classes=NASTY, tests=3).whole("inceptionv3"), tmp_path / "out")
    source = text(step, "report.html")
    assert source.count("<script>") == 1
    assert all(name in "".join(Page(source).words) for name in NASTY)
    assert "<script" not in text(step, "report.md")
    assert "<img" not in text(step, "report.md")
    for figure in (step.out / "figures").glob("*.svg"):
        assert not re.search("<script|<img", figure.read_text())


def test_a_class_that_looks_like_a_font_keeps_its_name(tmp_path: Path) -> None:
    nasty = ('style="font: 1px x', "font: 2px y", "font: 3px z")
    step = made(Run(tmp_path, classes=nasty, tests=3).whole("inceptionv3"), tmp_path / "out")
    for figure in (step.out / "figures").glob("confusion-*.svg"):
        found = re.findall(r'<text style="[^"]*font: [\d.]+px ([^;"]*)[^>]*>([^<]*)<', figure.read_text())
        assert set(nasty) <= {html.unescape(text) for _, text in found}
        assert {font for font, _ in found} == {FONT}


def test_many_classes_stay_readable(tmp_path: Path) -> None:
    run = Run(tmp_path, classes=tuple(f"class_{number:02}" for number in range(30)), tests=2)
    run.dataset()
    run.benchmark("inceptionv3", "float32-keras", "keras-cpu")
    step = made(run, tmp_path / "out")
    assert not re.search("recall class_00", text(step, "report.md").split("## All numbers", maxsplit=1)[0])
    assert len(list((step.out / "figures").glob("sample-*-0-channel.png"))) == 12


def test_hundreds_of_classes_make_no_hundreds_of_rows(tmp_path: Path) -> None:
    run = Run(tmp_path, classes=tuple(f"n{number:08}" for number in range(300)), size=8, tests=1)
    run.dataset("folder")
    run.edit("dataset", numbers=[], facts={})
    labels, first = list(range(300)), np.arange(300) % 5 > 0
    found = evaluate(labels, [0] * 150 + labels[150:], run.classes, first)
    measured = run.benchmark("efficientnetv2b0", "float32-keras", "keras-cpu")
    (measured / "accuracy.json").write_text(json.dumps(found.document()))
    run.edit("benchmark.efficientnetv2b0.float32-keras.keras-cpu", numbers=found.numbers())
    step = made(run, tmp_path / "out")
    page = text(step, "report.md")
    assert len(page.splitlines()) < 150
    assert re.search(r"all 300 +\| +600 \| +300 \|", page)
    assert re.search(r"top-5 accuracy.*\n.*\n.*0\.800 \\\[0\.75\d, 0\.84\d\\\]", page)  # binomial: 0.045 on either side
    assert len(text(step, "report.html")) < 400_000
    assert not list((step.out / "figures").glob("confusion*"))


def test_photographs_are_said_to_be_of_many_sizes(tmp_path: Path) -> None:
    run = Run(tmp_path, tests=2)
    told = json.loads((run.dataset("folder") / "dataset.json").read_text())
    assert "32 x 32 pixels" in words.counts(told)
    assert "of which the central square is used" in words.counts({**told, "size": None})
    (run.root / "dataset" / "dataset.json").write_text(json.dumps({**told, "size": None}))
    assert (made(run, tmp_path / "out").out / "figures" / "sample-0-0-channel.png").is_file()


def test_markdown_tables_have_one_width_and_its_figures_exist(report: Step) -> None:
    source = text(report, "report.md")
    for block in re.findall(r"(?:^\|.*\n)+", source, flags=re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block
    figures = re.findall(r"\]\((figures/[^)]+)\)", source)
    assert len(figures) > 10
    assert all((report.out / figure).is_file() for figure in figures)


def test_samples_are_as_many_as_asked_for(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.dataset()
    step = made(run, tmp_path / "out", samples=2)
    assert len(list((step.out / "figures").glob("sample-*-channel.png"))) == 6


def test_two_data_sets_or_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a report needs one data set, found 0"):
        gather(Run(tmp_path).step(tmp_path / "out"))


def test_a_folder_that_is_no_artifact_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.dataset()
    run.edit("dataset", schema="something")
    with pytest.raises(InputError, match="'dataset' is no artifact that a report knows"):
        gather(run.step(tmp_path / "out"))
