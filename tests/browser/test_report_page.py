"""The report's page in a real browser: it loads and logs nothing, sorts, and fits a telephone and a sheet of paper."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from synthetic_run import Run

from stages.report import __main__ as stage

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: `apt-get install chromium`")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    step = Run(folder).whole("inceptionv3", "resnet50v2").step(folder / "out")
    stage.main(step)
    return step.out / "report.html"


def browse(page: Path, tmp_path: Path, *options: str) -> tuple[str, str]:
    """Load a page without network; return its document when scripts have run, and what the browser logged."""
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        f"--user-data-dir={tmp_path / 'browser'}", "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr",
        "--virtual-time-budget=10000", *options, page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


def console(log: str) -> list[str]:
    return re.findall(r"CONSOLE[^\n]*", log)


def with_script(page: Path, script: str, place: Path) -> Path:
    """Copy the page without its policy, which would refuse any script but its own, and with another script."""
    source = re.sub(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>", "", page.read_text(encoding="utf-8"))
    place.write_text(source.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    return place


def test_the_console_stays_empty(page: Path, tmp_path: Path) -> None:
    document, log = browse(page, tmp_path, "--dump-dom")
    assert "</html>" in document
    assert console(log) == []


def test_the_console_would_tell_of_a_request(page: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.html"
    copy.write_text(page.read_text(encoding="utf-8").replace("</main>", '<img src="https://example.org/x.png"></main>'))
    _, log = browse(copy, tmp_path, "--dump-dom")
    assert any("Content Security Policy" in line for line in console(log))


def requests(page: Path, tmp_path: Path) -> set[str]:
    """What a page asked for, by the browser's own log; the browser's own errands to its maker are not counted."""
    netlog = tmp_path / "net.json"
    quiet = ("--disable-background-networking", "--disable-component-update", "--disable-sync")
    browse(page, tmp_path, "--dump-dom", f"--log-net-log={netlog}", *quiet)
    urls = set(re.findall(r'"url":"([^"]+)"', netlog.read_text(encoding="utf-8")))
    return {url for url in urls if not re.match(r"chrome|https?://[a-z0-9.-]*\.(google|googleapis|gvt1)\.com", url)}


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


def test_a_click_or_a_key_on_a_heading_sorts(page: Path, tmp_path: Path) -> None:
    document, log = browse(with_script(page, SORT, tmp_path / "sort.html"), tmp_path, "--dump-dom")
    told = dict(re.findall(r'data-([a-z]+)="([^"]*)"', re.findall(r"<body[^>]*>", document)[0]))
    up = [float(value) for value in told["up"].split()]
    assert len(up) == 10
    assert up == sorted(up)
    assert [float(value) for value in told["down"].split()] == sorted(up, reverse=True)
    assert told["sort"] == "ascending"
    assert (told["last"], told["lastdown"]) == ("\N{EN DASH}", "\N{EN DASH}")  # what is missing stays last both ways
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
    told = dict(re.findall(r'data-([a-z]+)="([^"]*)"', re.findall(r"<body[^>]*>", document)[0]))
    assert told == {"over": "0", "small": "0"}


def test_the_page_can_be_printed(page: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "page.pdf"
    browse(page, tmp_path, f"--print-to-pdf={sheet}")
    content = sheet.read_bytes()
    assert content.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 20


def test_a_dark_screen_gets_a_dark_page(page: Path, tmp_path: Path) -> None:
    script = "document.body.dataset.paper = getComputedStyle(document.body).backgroundColor"
    place = with_script(page, script, tmp_path / "dark.html")
    papers = []
    for scheme in ("0", "1"):  # blink's values: dark, light
        document, _ = browse(place, tmp_path, "--dump-dom", f"--blink-settings=preferredColorScheme={scheme}")
        papers.append(re.findall(r'data-paper="rgb\((\d+)', document)[0])
    assert int(papers[0]) < 60
    assert int(papers[1]) > 200
