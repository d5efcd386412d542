"""Tasks that answer a question about one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.tasks import task

from coralline.commands import files
from coralline.tasks.options import FILE, JSON

if TYPE_CHECKING:
    from invoke.context import Context


@task(
    positional=["file"],
    auto_shortflags=False,
    help=FILE
    | {
        "fix": "write a file here that the compiler takes, if that can be done without changing what it computes",
        "softmax_on_host": "with --fix: leave SOFTMAX at the end to the host",
        "engine": "where the changed file is proved equal: docker, local or auto",
    }
    | JSON,
)
def check(
    _context: Context,
    file: str,
    fix: str | None = None,
    softmax_on_host: bool = False,
    engine: str = "auto",
    json: bool = False,
) -> None:
    """Say what the Edge TPU compiler will do with a file."""
    files.check_file(file, fix=fix, softmax_on_host=softmax_on_host, engine=engine, as_json=json)


@task(name="inspect", positional=["file"], auto_shortflags=False, help={"file": "a compiled .tflite file"} | JSON)
def inspect_(_context: Context, file: str, json: bool = False) -> None:
    """Say what a file compiled for the Edge TPU holds."""
    files.inspect_file(file, as_json=json)


@task(
    positional=["file"],
    auto_shortflags=False,
    help=FILE
    | {
        "usb": "2 or 3",
        "clock": "std (250 MHz) or max (500 MHz): libedgetpu's variant",
        "compiled": "the compiled file, whose exact bytes then replace estimated ones",
    }
    | JSON,
)
def estimate(
    _context: Context,
    file: str,
    usb: str = "3",
    clock: str = "std",
    compiled: str | None = None,
    json: bool = False,
) -> None:
    """Predict latency and energy of a file on the stick."""
    files.estimate_file(file, usb=usb, clock=clock, compiled=compiled, as_json=json)


@task(positional=["file"], auto_shortflags=False, help={"file": "a log or the output of edgetpu_compiler"} | JSON)
def parse_log(_context: Context, file: str, json: bool = False) -> None:
    """Say what a log of the Edge TPU compiler tells."""
    files.parse_log(file, as_json=json)
