"""The replay of the paper in a real browser: tables sort and filter, also by key; figures are drawn; print has all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from headless import browse, console, needs_browser, told, with_script
from synthetic_run import Run

from stages.paper import __main__ as stage

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    run = Run(folder).whole("efficientnetv2b0", "inceptionv3")
    step = run.step(folder / "out")
    stage.main(step)
    return step.out / "paper.html"


FILTER = """
  const table = document.getElementById("table-1-cells");
  const box = table.parentElement.previousElementSibling.querySelector("input");
  const shown = () => Array.from(table.tBodies[0].rows).filter((row) => row.offsetHeight > 0);
  const type = (text) => { box.value = text; box.dispatchEvent(new Event("input")); };
  const told = document.body.dataset;
  told.all = shown().length;
  type("INCEPTIONV3  ptq-int8-stock");
  told.some = shown().length;
  told.right = shown().every((row) => /InceptionV3/.test(row.innerText) && /ptq-int8-stock/.test(row.innerText));
  told.count = box.parentElement.querySelector("output").textContent;
  table.querySelector("th[data-column] span").dispatchEvent(new KeyboardEvent("keydown", {key: " "}));
  told.sorted = shown().length;
  type("no such word");
  told.none = shown().length;
  type("");
  told.again = shown().length;
  told.label = box.labels.length;
  box.focus();
  told.focused = document.activeElement === box;
  told.tab = box.tabIndex;
"""


def test_a_table_shows_the_rows_that_hold_every_word(page: Path, tmp_path: Path) -> None:
    document, log = browse(with_script(page, FILTER, tmp_path / "filter.html"), tmp_path, "--dump-dom")
    data = told(document)
    assert (data["all"], data["again"], data["none"]) == ("22", "22", "0")
    assert (data["some"], data["sorted"], data["count"]) == ("2", "2", "2 of 22 rows")
    assert data["right"] == "true"
    assert (data["label"], data["focused"], data["tab"]) == ("1", "true", "0")
    assert console(log) == []


LINK = """
  const row = document.querySelector("#artifacts tbody tr:last-child");
  const box = document.getElementById("artifacts").parentElement.previousElementSibling.querySelector("input");
  box.value = "no such word";
  box.dispatchEvent(new Event("input"));
  document.body.dataset.before = row.hidden;
  addEventListener("hashchange", () => { document.body.dataset.after = row.hidden; });
  location.hash = row.id;
"""


def test_a_link_to_a_row_that_is_filtered_out_shows_it(page: Path, tmp_path: Path) -> None:
    document, _ = browse(with_script(page, LINK, tmp_path / "link.html"), tmp_path, "--dump-dom")
    assert told(document) == {"before": "true", "after": "false"}


SORT = """
  const table = document.getElementById("table-1-cells");
  const heads = Array.from(table.querySelectorAll("th[data-column]"));
  const column = heads.findIndex((head) => head.textContent === "ours, %");
  const read = () => Array.from(table.tBodies[0].rows, (row) => row.cells[column].textContent.trim());
  heads[column].querySelector("span").dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}));
  document.body.dataset.up = read().map((text) => parseFloat(text)).filter((value) => !isNaN(value)).join(" ");
  document.body.dataset.last = read().at(-1);
"""


def test_our_values_sort_and_what_is_missing_stays_last(page: Path, tmp_path: Path) -> None:
    document, _ = browse(with_script(page, SORT, tmp_path / "sort.html"), tmp_path, "--dump-dom")
    data = told(document)
    up = [float(value) for value in data["up"].split()]
    assert len(up) == 4  # two models, each as a Keras network and as ptq-int8
    assert up == sorted(up)
    assert data["last"] == "\N{EN DASH}"


DRAWN = """
  const drawn = Array.from(document.querySelectorAll("figure svg"));
  document.body.dataset.figures = drawn.length;
  document.body.dataset.empty = drawn.filter((one) => one.getBBox().width < 100 || one.clientHeight < 50).length;
"""


def test_every_figure_is_drawn(page: Path, tmp_path: Path) -> None:
    document, _ = browse(with_script(page, DRAWN, tmp_path / "drawn.html"), tmp_path, "--dump-dom")
    data = told(document)
    assert int(data["figures"]) == len(list((page.parent / "figures").glob("*.svg"))) > 6
    assert data["empty"] == "0"


HIDE = """
  document.querySelectorAll(".filter input").forEach((box) => {
    box.value = "no such word";
    box.dispatchEvent(new Event("input"));
  });
"""
HIDDEN_IN_PRINT = (
    HIDE
    + """
  const style = document.createElement("style");
  style.textContent = "tr[hidden] { display: none !important; }";
  document.head.append(style);
"""
)


def sheets(page: Path, tmp_path: Path) -> int:
    pdf = tmp_path / f"{page.stem}.pdf"
    browse(page, tmp_path, f"--print-to-pdf={pdf}")
    return len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))


def test_print_has_the_rows_that_are_filtered_out(page: Path, tmp_path: Path) -> None:
    filtered = with_script(page, HIDE, tmp_path / "filtered.html")
    without = with_script(page, HIDDEN_IN_PRINT, tmp_path / "without.html")
    assert sheets(filtered, tmp_path) == sheets(page, tmp_path) > sheets(without, tmp_path)
