"""Every page in a real browser: it loads and logs nothing, fits a telephone and a sheet of paper; the report sorts."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest
from headless import browse, console, needs_browser, requests, told, with_script
from synthetic_run import Run

from stages.paper import __main__ as paper_stage
from stages.report import __main__ as report_stage

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_browser
STAGES = {"report": report_stage, "paper": paper_stage}


def made(name: str, folder: Path) -> Path:
    step = Run(folder).whole("efficientnetv2b0", "inceptionv3").step(folder / "out")
    STAGES[name].main(step)
    return step.out / f"{name}.html"


@pytest.fixture(scope="module", params=sorted(STAGES))
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(request.param, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made("report", tmp_path_factory.mktemp("run"))


def test_the_console_stays_empty(page: Path, tmp_path: Path) -> None:
    document, log = browse(page, tmp_path, "--dump-dom")
    assert "</html>" in document
    assert console(log) == []


def test_the_console_would_tell_of_a_request(page: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.html"
    copy.write_text(page.read_text(encoding="utf-8").replace("</main>", '<img src="https://example.org/x.png"></main>'))
    _, log = browse(copy, tmp_path, "--dump-dom")
    assert any("Content Security Policy" in line for line in console(log))


def test_the_page_asks_for_nothing_but_itself(page: Path, tmp_path: Path) -> None:
    assert requests(page, tmp_path) <= {page.as_uri()}


def test_a_request_would_be_noticed(page: Path, tmp_path: Path) -> None:
    script = "new Image().src = 'https://example.org/x.png'"
    assert "https://example.org/x.png" in requests(with_script(page, script, tmp_path / "copy.html"), tmp_path)


SORT = """
  const table = document.getElementById("latency");
  const heads = Array.from(table.querySelectorAll("th[data-column]"));
  const column = heads.findIndex((head) => head.textContent === "p50, ms");
  const lines = () => Array.from(table.tBodies[0].rows);
  const read = () => lines().map((row) => parseFloat(row.cells[column].textContent)).join(" ");
  const handle = heads[column].querySelector("span");
  handle.click();
  document.body.dataset.up = read();
  document.body.dataset.sort = heads[column].getAttribute("aria-sort");
  handle.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}));
  document.body.dataset.down = read();
  const first = document.getElementById("headline");
  const sizes = Array.from(first.querySelectorAll("th[data-column]")).find((head) => head.textContent === "size, KB");
  const last = () => Array.from(first.tBodies[0].rows).at(-1).cells[sizes.dataset.column].textContent;
  sizes.querySelector("span").click();
  document.body.dataset.last = last();
  sizes.querySelector("span").click();
  document.body.dataset.lastdown = last();
"""


def test_a_click_or_a_key_on_a_heading_sorts(report: Path, tmp_path: Path) -> None:
    document, log = browse(with_script(report, SORT, tmp_path / "sort.html"), tmp_path, "--dump-dom")
    data = told(document)
    up = [float(value) for value in data["up"].split()]
    assert len(up) == 34  # two models: Keras once; four files on two runtimes, on one thread and on all
    assert up == sorted(up)
    assert [float(value) for value in data["down"].split()] == sorted(up, reverse=True)
    assert data["sort"] == "ascending"
    assert (data["last"], data["lastdown"]) == ("\N{EN DASH}", "\N{EN DASH}")  # what is missing stays last both ways
    assert console(log) == []


MEASURE = """
  addEventListener("load", () => setTimeout(() => {
    const inside = document.querySelector("iframe").contentDocument;
    const root = inside.documentElement;
    const small = Array.from(inside.querySelectorAll("p, td, th, li, figcaption"))
      .filter((one) => parseFloat(getComputedStyle(one).fontSize) < 10);
    document.body.dataset.over = root.scrollWidth - root.clientWidth;
    document.body.dataset.small = small.length;
  }, 500));
"""


@pytest.mark.parametrize("width", [320, 400, 768, 1280])
def test_the_page_is_never_wider_than_its_window(page: Path, tmp_path: Path, width: int) -> None:
    source = re.sub(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>", "", page.read_text(encoding="utf-8"))
    frame = f'<iframe style="width:{width}px;height:800px;border:0" srcdoc="{html.escape(source)}"></iframe>'
    host = tmp_path / "host.html"
    host.write_text(f"<!DOCTYPE html><body>{frame}<script>{MEASURE}</script></body>", encoding="utf-8")
    document, _ = browse(host, tmp_path, "--dump-dom")
    assert told(document) == {"over": "0", "small": "0"}


def test_the_page_can_be_printed(page: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "page.pdf"
    browse(page, tmp_path, f"--print-to-pdf={sheet}")
    content = sheet.read_bytes()
    assert content.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 26


def test_a_dark_screen_gets_a_dark_page(page: Path, tmp_path: Path) -> None:
    script = "document.body.dataset.paper = getComputedStyle(document.body).backgroundColor"
    place = with_script(page, script, tmp_path / "dark.html")
    papers = []
    for scheme in ("0", "1"):  # blink's values: dark, light
        document, _ = browse(place, tmp_path, "--dump-dom", f"--blink-settings=preferredColorScheme={scheme}")
        papers.append(re.findall(r'data-paper="rgb\((\d+)', document)[0])
    assert int(papers[0]) < 60
    assert int(papers[1]) > 200
