"""The front door: `invoke --list` shows the tasks, `./run TASK` runs them with nothing installed. No logic here."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `invoke` may come from an environment that has no Coralline

from invoke.collection import Collection
from invoke.tasks import task

from coralline import commands

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoke.context import Context

REQUEST: dict[str, tuple[Any, str]] = {
    "model": ("", "model, several separated by commas, or all"),
    "recipes": ("", "recipes, several separated by commas, or all (default: the usual ones)"),
    "profile": ("quick", "quick, paper, or the path of a .toml file"),
    "data": (None, "folder or zip of images, <split>/<class>/*.png, instead of simulated events"),
    "init": (None, "start training from these weights (.h5, .keras, .weights.h5)"),
    "set_": (None, "stage.parameter=value; may be given several times"),
    "on_bad_image": (None, "fail or skip, for --data"),
    "only": (None, "make this stage and what it needs, nothing after it"),
    "from_": (None, "make this stage and all after it again"),
    "engine": ("auto", "docker, local or auto"),
    "jobs": ("", "steps at once (default: one for each core)"),
    "edgetpu": (False, "fail when there is no Edge TPU instead of going on without it"),
    "gpus": (False, "train and measure on the GPU"),
    "debug": (False, "show tracebacks"),
}
HELP = {name: text for name, (_, text) in REQUEST.items()}
JSON = {"json": "print one JSON object"}


def _with_request(body: Callable[..., None]) -> Callable[..., None]:
    """Give a task the options of a request: its `words` become one option each."""
    own = [p for p in inspect.signature(body).parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    words = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
        for name, (default, _) in REQUEST.items()
    ]
    body.__signature__ = inspect.Signature([own[0], *words, *own[1:]])  # type: ignore[attr-defined]
    return body


@task(name="all", auto_shortflags=False, iterable=["set_"], help=HELP)
@_with_request
def everything(_context: Context, **words: Any) -> None:
    """Make everything from events to the report."""
    commands.run_all(words)


@task(auto_shortflags=False, iterable=["set_"], help=HELP | JSON)
@_with_request
def plan(_context: Context, json: bool = False, **words: Any) -> None:
    """Show what would run, and why."""
    commands.show_plan(words, as_json=json)


@task(positional=["run"], help={"run": "a run's name or its beginning (default: the latest)"} | JSON)
def results(_context: Context, run: str = "", json: bool = False) -> None:
    """Show every number of a run."""
    commands.show_results(run or None, as_json=json)


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


@task(
    positional=["names"],
    help={"names": "images, separated by commas (default: all for this host)", "debug": "show tracebacks"},
)
def build(_context: Context, names: str = "", debug: bool = False) -> None:
    """Build container images."""
    commands.build_images(names, debug=debug)


@task(positional=["names"], help={"names": "images, separated by commas (default: all)", "debug": "show tracebacks"})
def lock(_context: Context, names: str = "", debug: bool = False) -> None:
    """Refresh the images' locks; show what changed."""
    commands.lock_images(names, debug=debug)


@task(positional=["suites"], help={"suites": "suites, separated by commas, such as unit,stages/train (default: all)"})
def test(_context: Context, suites: str = "") -> None:  # noqa: PT028 - a task, not a test
    """Run lint, types and all tests."""
    commands.run_tests(suites)


namespace = Collection(everything, plan, results, models, recipes, stages, test)
namespace.add_collection(Collection("image", build, lock))
