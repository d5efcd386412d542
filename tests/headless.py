"""A page in a real headless browser without network: its document when scripts have run, its log, its requests."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), None)

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: `apt-get install chromium`")


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


def requests(page: Path, tmp_path: Path) -> set[str]:
    """What a page asked for, by the browser's own log; the browser's own errands to its maker are not counted."""
    netlog = tmp_path / "net.json"
    quiet = ("--disable-background-networking", "--disable-component-update", "--disable-sync")
    browse(page, tmp_path, "--dump-dom", f"--log-net-log={netlog}", *quiet)
    urls = set(re.findall(r'"url":"([^"]+)"', netlog.read_text(encoding="utf-8")))
    return {url for url in urls if not re.match(r"chrome|https?://[a-z0-9.-]*\.(google|googleapis|gvt1)\.com", url)}


def told(document: str) -> dict[str, str]:
    """What a script wrote to the data of the body."""
    return dict(re.findall(r'data-([a-z]+)="([^"]*)"', re.findall(r"<body[^>]*>", document)[0]))
