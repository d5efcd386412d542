"""The tasks that answer a question about one file of the user's: they read it, and make no artifact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline import console, question, session
from coralline.console import answers
from coralline.console.ending import guarded, print_json
from coralline.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from coralline.engines.base import Engine


def check_file(file: str, *, fix: str | None, softmax_on_host: bool, engine: str, as_json: bool) -> None:
    """Print what the Edge TPU's compiler will do with a file; with `fix` write the changed file, and prove it."""
    from coralline import proof

    with guarded():
        if softmax_on_host and fix is None:
            raise ProfileError("--softmax-on-host means nothing without --fix", hint="add --fix OUT")
        trouble = None
        if fix is None:
            told = question.ask("check", Path(file))
        else:
            place = Path(fix).expanduser().absolute()
            told, trouble = proof.fix(
                Path(file), place, softmax_on_host=softmax_on_host, engine=lambda: _ready_engine(engine, proof.IMAGE)
            )
        _print_answer(answers.show_check, Path(file).name, told, as_json=as_json)
        if trouble is not None:
            raise trouble


def inspect_file(file: str, *, as_json: bool) -> None:
    """Print what a compiled file holds."""
    with guarded():
        told = question.ask("inspect", Path(file))
        _print_answer(answers.show_inspection, Path(file).name, told, as_json=as_json)


def estimate_file(file: str, *, usb: str, clock: str, compiled: str | None, as_json: bool) -> None:
    """Print the latency and energy that are predicted of a file on the USB stick."""
    with guarded():
        for name, word, known in (("usb", usb, ("2", "3")), ("clock", clock, ("std", "max"))):
            if word not in known:
                raise ProfileError(f"--{name} {word!r} is not possible", hint=f"expected {' or '.join(known)}")
        words = ["--usb", usb, "--clock", clock]
        if compiled is not None:
            if not Path(compiled).is_file():
                raise ProfileError(f"--compiled: there is no file {compiled!r}", hint="give the path of a file")
            words += ["--compiled", str(Path(compiled).resolve())]
        told = question.ask("estimate", Path(file), *words)
        _print_answer(answers.show_estimate, Path(file).name, told, as_json=as_json)


def parse_log(file: str, *, as_json: bool) -> None:
    """Print what a log, or the output, of the Edge TPU's compiler says."""
    with guarded():
        told = question.ask("parse-log", Path(file))
        _print_answer(answers.show_log, Path(file).name, told, as_json=as_json)


def _ready_engine(name: str, image: str) -> Engine:
    """Return an engine that has an image, made where it is missing.

    Raises:
        CorallineError: there is no such engine here, or it cannot have the image.
    """
    from coralline.engines import choose

    watcher = console.watcher()
    try:
        engine = choose(name, watcher.notify)
        engine.prepare(image, lambda event: watcher.notify(session.preparing(image, event)))
    finally:
        watcher.close()
    return engine


def _print_answer(show: Callable[[str, Any], None], name: str, told: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(told)
    else:
        show(name, told)
