"""The front door: `invoke --list` shows the tasks, `./run TASK` runs them with nothing installed. No logic here."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `invoke` may come from an environment that has no Coralline

from invoke.collection import Collection
from invoke.tasks import Task, task

from coralline import commands, filecommands

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoke.context import Context

REQUEST: dict[str, tuple[Any, str]] = {
    "model": ("", "model, several separated by commas, or all"),
    "recipes": (
        "",
        "recipes, several separated by commas, or all (default: the usual ones; for paper, those of its tables)",
    ),
    "profile": ("quick", "quick, bench, paper, or the path of a .toml file"),
    "data": (None, "folder or zip of images, <split>/<class>/*.png, instead of simulated events"),
    "init": (None, "start training from these weights (.h5, .keras, .weights.h5)"),
    "meter": (None, "a power meter's log of the run (CSV: time_s,power_w), for energy"),
    "meter_on": (None, "what the meter feeds: machine (default) or edgetpu, the stick alone"),
    "tdp": (None, "DEVICE=WATTS for the energy proxy, such as cpu=65,gpu=300"),
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
ALSO = {"model": "models", "recipes": "recipe"}  # names by which an option goes as well
HELP = {name: text for name, (_, text) in REQUEST.items()}
JSON = {"json": "print one JSON object"}
FILE = {"file": "a .tflite file"}


class Asking(Task[Any]):
    """A task with the options of a request, some of which go by two names."""

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        """Say how an argument is read."""
        told = super().arg_opts(name, default, taken_names)
        return told | {"names": [*told["names"], *filter(None, [ALSO.get(name)])]}


def _with_request(*left_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a task the options of a request, some left out: its `words` become one option each."""

    def give(body: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(body).parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        words = [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
            for name, (default, _) in REQUEST.items()
            if name not in left_out
        ]
        body.__signature__ = inspect.Signature([own[0], *words, *own[1:]])  # type: ignore[attr-defined]
        return body

    return give


@task(klass=Asking, name="all", auto_shortflags=False, iterable=["set_"], help=HELP)
@_with_request()
def everything(_context: Context, **words: Any) -> None:
    """Make everything from events to the report."""
    commands.run_all(words)


@task(klass=Asking, auto_shortflags=False, iterable=["set_"], help=HELP | JSON)
@_with_request()
def plan(_context: Context, json: bool = False, **words: Any) -> None:
    """Show what would run, and why."""
    commands.show_plan(words, as_json=json)


@task(
    klass=Asking,
    positional=["model"],
    auto_shortflags=False,
    iterable=["set_"],
    help={name: text for name, text in HELP.items() if name != "only"} | JSON,
)
@_with_request("only")
def parity(_context: Context, json: bool = False, **words: Any) -> None:
    """Compare the runtimes of an int8 file, image by image."""
    commands.show_parity(words, as_json=json)


@task(
    klass=Asking,
    auto_shortflags=False,
    iterable=["set_"],
    help={name: text for name, text in HELP.items() if name != "only"} | JSON,
)
@_with_request("only")
def paper(_context: Context, json: bool = False, **words: Any) -> None:
    """Replay the paper's benchmark beside its values."""
    commands.show_paper(words, as_json=json)


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
    filecommands.check_file(file, fix=fix, softmax_on_host=softmax_on_host, engine=engine, as_json=json)


@task(name="inspect", positional=["file"], auto_shortflags=False, help={"file": "a compiled .tflite file"} | JSON)
def inspect_(_context: Context, file: str, json: bool = False) -> None:
    """Say what a file compiled for the Edge TPU holds."""
    filecommands.inspect_file(file, as_json=json)


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
    filecommands.estimate_file(file, usb=usb, clock=clock, compiled=compiled, as_json=json)


@task(positional=["file"], auto_shortflags=False, help={"file": "a log or the output of edgetpu_compiler"} | JSON)
def parse_log(_context: Context, file: str, json: bool = False) -> None:
    """Say what a log of the Edge TPU compiler tells."""
    filecommands.parse_log(file, as_json=json)


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


@task(help={"edgetpu": "prove step by step that the stick works"} | JSON)
def doctor(_context: Context, edgetpu: bool = False, json: bool = False) -> None:
    """Say what this machine lacks, and what to do."""
    commands.show_doctor(edgetpu=edgetpu, as_json=json)


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


namespace = Collection(
    everything,
    plan,
    results,
    paper,
    parity,
    check,
    inspect_,
    estimate,
    parse_log,
    models,
    recipes,
    stages,
    doctor,
    test,
)
namespace.add_collection(Collection("image", build, lock))
