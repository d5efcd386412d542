from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coralline import console
from coralline.console import github
from coralline.errors import StageError
from coralline.notices import Kind, Notice

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file to which a runner has a step write its summary."""
    path = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    return path


def is_command(line: str) -> bool:
    """What a runner takes for a command: `::` after spaces, or the older `##[` anywhere."""
    return line.lstrip().startswith("::") or "##[" in line


def test_a_run_is_one_group_with_its_warnings_as_annotations(summary: Path) -> None:
    stream = io.StringIO()
    watcher = console.watcher(stream)
    watcher.notify(Notice(kind=Kind.START, label="train/a", text="not made before"))
    watcher.notify(Notice(kind=Kind.WARNING, label="train/a", text="100 % of\nthe disk"))
    watcher.notify(Notice(kind=Kind.DONE, label="train/a", text="abc", seconds=61))
    watcher.close()
    assert stream.getvalue().splitlines() == [
        "::group::Steps",
        "start     train/a: not made before",
        "::warning title=train/a::100 %25 of%0Athe disk",
        "done      train/a: abc (1 min 01 s)",
        "::endgroup::",
    ]
    assert summary.read_text() == "| step | state | took |\n|---|---|--:|\n| train/a | done | 1 min 01 s |\n\n"


def test_a_second_run_adds_to_the_summary_of_the_first(summary: Path) -> None:
    for label in ("dataset", "train/a"):
        watcher = console.watcher(io.StringIO())
        watcher.notify(Notice(kind=Kind.REUSED, label=label))
        watcher.close()
    assert [row.split()[1] for row in summary.read_text().splitlines() if "reused" in row] == ["dataset", "train/a"]


@pytest.mark.usefixtures("summary")
def test_where_nothing_happened_nothing_is_said() -> None:
    stream = io.StringIO()
    console.watcher(stream).close()
    assert stream.getvalue() == ""


@pytest.mark.usefixtures("summary")
def test_an_error_is_an_annotation_with_what_to_do() -> None:
    stream = io.StringIO()
    console.show_error(StageError("train failed", hint="see the log", replay="docker run"), stream)
    assert stream.getvalue() == "::error::train failed%0Asee the log%0Areplay: docker run\n"


def test_elsewhere_nothing_of_it_is_said() -> None:
    stream = io.StringIO()
    console.show_error(StageError("train failed", hint="see the log"), stream)
    assert "::" not in stream.getvalue()
    assert type(console.watcher(stream)) is console.Plain


@given(st.text() | st.lists(st.sampled_from(["::", "##[", "\r", "\n", " ", "error", "]", "%0A"])).map("".join))
def test_no_text_of_a_stage_becomes_a_command(text: str) -> None:
    for kind in Kind:
        log = github.Log(io.StringIO())
        told = log.written(Notice(kind=kind, label=text, text=text, done=1, total=2, unit=text), "").split("\n")
        commands = [line for line in told for line in line.split("\r") if is_command(line)]
        annotated = 1 if kind is Kind.WARNING else 0
        assert len(commands) == 1 + annotated  # the group that we opened, and our own annotation


@given(st.dictionaries(st.text(), st.sampled_from(github.ENDED), min_size=1, max_size=5))
def test_every_step_is_one_row_of_the_table(ended: dict[str, Kind]) -> None:
    steps = {label: Notice(kind=kind, label=label) for label, kind in ended.items()}
    rows = github.table(steps).rstrip("\n").split("\n")
    assert len(rows) == 2 + len(ended)
    assert all(row.count("|") == 4 for row in rows)


def test_a_table_too_long_for_the_summary_is_cut_with_its_count() -> None:
    steps = {str(number): Notice(kind=Kind.DONE, label=str(number)) for number in range(600)}
    assert github.table(steps).rstrip().endswith("and 100 more")
