from __future__ import annotations

import io

from rich.console import Console

from coralline import console
from coralline.console.board import Line, render
from coralline.errors import CorallineError, StageError
from coralline.notices import Kind, Notice


def test_plain_lines_tell_the_story() -> None:
    stream = io.StringIO()
    plain = console.Plain(stream)
    plain.notify(Notice(kind=Kind.START, label="train/a", text="not made before"))
    for done in range(100):
        plain.notify(Notice(kind=Kind.PROGRESS, label="train/a", done=done, total=100, unit="batch"))
    plain.notify(Notice(kind=Kind.DONE, label="train/a", text="abc", seconds=61))
    plain.notify(Notice(kind=Kind.REUSED, label="dataset", text="reused"))
    assert stream.getvalue().splitlines() == [
        "start     train/a: not made before",
        "          train/a: 0/100 batch",
        "done      train/a: abc (1 min 01 s)",
        "reused    dataset",
    ]


def progress(done: int) -> Notice:
    return Notice(kind=Kind.PROGRESS, label="train/a", done=done, total=100, unit="batch", text="epoch 1/4")


def test_the_time_left_follows_the_pace_since_the_first_finished_piece() -> None:
    pace = console.Pace()
    assert [pace.left(progress(done), now) for done, now in ((0, 0), (5, 60), (15, 61), (25, 70))] == [
        "",
        "",
        "",
        ", 37.5 s left",
    ]
    assert pace.left(progress(100), 90) == ""


def test_an_error_is_what_is_wrong_and_what_to_do() -> None:
    stream = io.StringIO()
    console.show_error(StageError("train failed", hint="see the log", replay="docker run"), stream)
    assert stream.getvalue() == "error: train failed\n  see the log\n  replay: docker run\n"


def test_no_words_of_a_step_move_the_terminal() -> None:
    stream = io.StringIO()
    console.Plain(stream).notify(
        Notice(kind=Kind.WARNING, label="dataset", text="skipped \x1b]0;x\x07\x9b2J\ud800é.png")
    )
    console.show_error(StageError("x\x1b[2J failed", hint="its log ends\n  | \x1b[8mhidden"), stream)
    assert stream.getvalue().splitlines() == [
        "warning   dataset: skipped ?]0;x??2J?é.png",
        "error: x?[2J failed",
        "  its log ends",
        "    | ?[8mhidden",
    ]


def test_every_kind_of_error_has_its_own_code() -> None:
    kinds = CorallineError.__subclasses__()
    codes = [kind.code for kind in kinds]
    assert len(codes) == len(set(codes))
    assert min(codes) == 2  # 0 is done, 1 a bug


def test_the_board_shows_state_bar_and_time_left() -> None:
    lines = {
        "dataset": Line(Notice(kind=Kind.REUSED, label="dataset", text="reused"), 0, 0),
        "train/a": Line(progress(25), 0, left=", 30.0 s left"),
    }
    for width in (40, 80, 120):
        screen = Console(file=io.StringIO(), width=width, force_terminal=True)
        screen.print(render(lines, 10.0, width))
        text = screen.file.getvalue()  # type: ignore[attr-defined]
        assert "running" in text
        assert "reused" in text
    assert "25/100 batch, 30.0 s left epoch 1/4" in text
