"""The page: whole, self-contained, readable with many classes and with names that are meant to deceive."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING

import numpy as np
from htmlpage import Page
from reports import made, text
from synthetic_run import Run

from stages.accuracy import evaluate
from stages.drawing import FONT
from stages.report import words

if TYPE_CHECKING:
    from pathlib import Path

    from stages.contract import Step

NASTY = ("<script>alert(1)", "<img src=x onerror=alert(1)>", "$x^2$ | `a` *b*", "q\"&amp;'")


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
