from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_architecture import FLOORS

from coralline.catalogue import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
CODE = re.compile(r"`[^`]*`")
INDEX = re.compile(r"\b(?:pypi|pythonhosted|npmjs|registry\.npm|docker\.io/|ghcr\.io|quay\.io)", re.IGNORECASE)
PLACE = re.compile(r"(?<![\w.])/(?:root|home|work|tmp|mnt|srv|Users|var/tmp)/")


def text_of(page: Path) -> str:
    return COMMENT.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> Iterator[tuple[str, str]]:
    for target in LINK.findall(CODE.sub("", text_of(page))):
        if "://" not in target:
            place, _, anchor = target.partition("#")
            yield place, anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for place, anchor in links(page):
        target = page.parent / place if place else page
        assert target.exists(), place
        assert not anchor or anchor in anchors(target), f"{place}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_no_page_names_a_package_index_or_a_place_of_one_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not INDEX.findall(text)
    assert not PLACE.findall(text)


def test_every_page_can_be_reached_from_the_front_page() -> None:
    waiting, reached = [PROJECT / "README.md"], set[Path]()
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            targets = [(page.parent / place).resolve() for place, _ in links(page) if place]
            waiting += [target for target in targets if target.suffix == ".md"]
    unreached = {page for page in PAGES if "changelog" not in page.as_posix().lower()} - reached
    assert not unreached


def test_the_reference_is_what_the_code_says() -> None:
    command = [sys.executable, "docs/generate.py", "--check"]
    told = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr


def test_the_house_is_drawn_as_its_floors_are_checked() -> None:
    drawing = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    floors = [set(words.split()) for words in re.findall(r"^    [a-z ]{18}\| ([a-z ]+)$", drawing, re.MULTILINE)]
    assert floors[: len(FLOORS)] == [set(floor.split()) for floor in FLOORS]


def test_the_pictures_on_the_front_page_hold_their_own_styles() -> None:
    picture = (PROJECT / "docs" / "figures" / "pipeline.svg").read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in picture
    assert "<script" not in picture
    assert set(re.findall(r"https?://[^\"' ]+", picture)) == {"http://www.w3.org/2000/svg"}
