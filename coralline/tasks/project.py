"""Tasks about the project and this machine: what there is to choose from, what is lacking, tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.tasks import task

from coralline.commands import pack as packcommands
from coralline.commands import project as commands
from coralline.tasks.options import JSON

if TYPE_CHECKING:
    from invoke.context import Context


@task(help=JSON)
def models(_context: Context, json: bool = False) -> None:
    """List the models."""
    commands.show_models(as_json=json)


@task(help=JSON)
def recipes(_context: Context, json: bool = False) -> None:
    """List the recipes."""
    commands.show_recipes(as_json=json)


@task(help=JSON)
def stages(_context: Context, json: bool = False) -> None:
    """Explain the stages and all their parameters."""
    commands.show_stages(as_json=json)


@task(help={"edgetpu": "prove step by step that the stick works"} | JSON)
def doctor(_context: Context, edgetpu: bool = False, json: bool = False) -> None:
    """Say what this machine lacks, and what to do."""
    commands.show_doctor(edgetpu=edgetpu, as_json=json)


@task(
    auto_shortflags=False,
    help={
        "to": "the folder to fill; what it holds already is not fetched again",
        "images": "also the container images, some gigabytes",
        "gpus": "also what only a machine with a GPU needs",
        "debug": "show tracebacks",
    }
    | JSON,
)
def pack(
    _context: Context, to: str, *, images: bool = False, gpus: bool = False, json: bool = False, debug: bool = False
) -> None:
    """Fill a folder for sites without network."""
    packcommands.pack(to, images=images, gpus=gpus, as_json=json, debug=debug)


@task
def lint(_context: Context) -> None:
    """Run linters and types alone."""
    commands.run_tests("lint")


@task(positional=["suites"], help={"suites": "suites, separated by commas, such as unit,stages/train (default: all)"})
def test(_context: Context, suites: str = "") -> None:  # noqa: PT028 - a task, not a test
    """Run lint, types and all tests."""
    commands.run_tests(suites)
