"""Tasks that carry out a request, or say what would be done for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke.tasks import task

from coralline.commands import farm
from coralline.commands import requests as commands
from coralline.tasks.options import HELP, JSON, Asking, with_request

if TYPE_CHECKING:
    from invoke.context import Context


@task(klass=Asking, name="all", auto_shortflags=False, iterable=["set_", "on"], help=HELP)
@with_request()
def everything(_context: Context, **words: Any) -> None:
    """Make everything from events to the report."""
    commands.run_all(words)


@task(klass=Asking, auto_shortflags=False, iterable=["set_", "on"], help=HELP | JSON)
@with_request()
def plan(_context: Context, json: bool = False, **words: Any) -> None:
    """Show what would run, and why."""
    commands.show_plan(words, as_json=json)


@task(
    klass=Asking,
    auto_shortflags=False,
    iterable=["set_", "on"],
    help=HELP
    | {
        "set_": "stage.parameter=value, with several values such as train.seed=1..20 or train.epochs=2,4,8",
        "only": "sweep to this stage and what it needs (default: benchmark)",
        "dry_run": "show what would run, and why",
    }
    | JSON,
)
@with_request()
def sweep(_context: Context, dry_run: bool = False, json: bool = False, **words: Any) -> None:
    """Make a request for several values; compare them."""
    farm.sweep(words, dry_run=dry_run, as_json=json)


@task(
    klass=Asking,
    positional=["model"],
    auto_shortflags=False,
    iterable=["set_", "on"],
    help={name: text for name, text in HELP.items() if name != "only"} | JSON,
)
@with_request("only")
def parity(_context: Context, json: bool = False, **words: Any) -> None:
    """Compare the runtimes of an int8 file, image by image."""
    commands.show_parity(words, as_json=json)


@task(
    klass=Asking,
    auto_shortflags=False,
    iterable=["set_", "on"],
    help={name: text for name, text in HELP.items() if name != "only"} | JSON,
)
@with_request("only")
def paper(_context: Context, json: bool = False, **words: Any) -> None:
    """Replay the paper's benchmark beside its values."""
    commands.show_paper(words, as_json=json)
