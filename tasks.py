"""The front door: `invoke --list` shows the tasks, `./run TASK` runs them with nothing installed. No logic here."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `invoke` may come from an environment that has no Coralline

from invoke.collection import Collection
from invoke.tasks import Task, task

from coralline import (
    bundlecommands,
    commands,
    farmcommands,
    filecommands,
    imagecommands,
    packcommands,
    storecommands,
    verifycommands,
)

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
    "on": (None, "a farm (dask://HOST:PORT, slurm, htcondor), or STAGE=ssh://USER@HOST: a Docker daemon for a stage"),
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


@task(klass=Asking, name="all", auto_shortflags=False, iterable=["set_", "on"], help=HELP)
@_with_request()
def everything(_context: Context, **words: Any) -> None:
    """Make everything from events to the report."""
    commands.run_all(words)


@task(klass=Asking, auto_shortflags=False, iterable=["set_", "on"], help=HELP | JSON)
@_with_request()
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
@_with_request()
def sweep(_context: Context, dry_run: bool = False, json: bool = False, **words: Any) -> None:
    """Make a request for several values; compare them."""
    farmcommands.sweep(words, dry_run=dry_run, as_json=json)


@task(
    klass=Asking,
    positional=["model"],
    auto_shortflags=False,
    iterable=["set_", "on"],
    help={name: text for name, text in HELP.items() if name != "only"} | JSON,
)
@_with_request("only")
def parity(_context: Context, json: bool = False, **words: Any) -> None:
    """Compare the runtimes of an int8 file, image by image."""
    commands.show_parity(words, as_json=json)


@task(
    klass=Asking,
    auto_shortflags=False,
    iterable=["set_", "on"],
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
def runs(_context: Context, json: bool = False) -> None:
    """List all runs, the newest first."""
    storecommands.show_runs(as_json=json)


@task(
    name="diff",
    positional=["left", "right"],
    auto_shortflags=False,
    help={"left": "a run's name or its beginning", "right": "another's"} | JSON,
)
def compare(_context: Context, left: str, right: str, json: bool = False) -> None:
    """Show what differs between two runs."""
    storecommands.compare_runs(left, right, as_json=json)


@task(
    positional=["run"],
    auto_shortflags=False,
    help={"run": "a run's name or its beginning", "undo": "take the mark away"},
)
def keep(_context: Context, run: str, undo: bool = False) -> None:
    """Mark a run that gc must never take."""
    storecommands.keep_run(run, undo=undo)


@task(
    auto_shortflags=False,
    help={
        "older_than": "runs of this age go, such as 12h, 30d or 2w (default: 30d; with --size, any)",
        "size": "the oldest go until the store takes no more than this, such as 500M or 20G",
        "delete": "free it, instead of saying what would be freed",
    }
    | JSON,
)
def gc(
    _context: Context,
    older_than: str | None = None,
    size: str | None = None,
    delete: bool = False,
    json: bool = False,
) -> None:
    """Say what the store can do without, or free it."""
    storecommands.collect(older_than=older_than, size=size, delete=delete, as_json=json)


@task(help=JSON)
def fsck(_context: Context, json: bool = False) -> None:
    """Check every byte of every artifact."""
    storecommands.check_store(as_json=json)


@task(
    positional=["run"],
    auto_shortflags=False,
    help={
        "run": "a run's name or its beginning (default: the latest)",
        "artifacts": "also what the run made, so that others can import it",
        "to": "the file to write (default: RUN.zip, here)",
        "sign": "sign it with this private key (PEM, as openssl writes it)",
    }
    | JSON,
)
def bundle(
    _context: Context,
    run: str = "",
    *,
    artifacts: bool = False,
    to: str | None = None,
    sign: str | None = None,
    json: bool = False,
) -> None:
    """Write a run into one file, for others."""
    bundlecommands.write_bundle(run or None, artifacts=artifacts, to=to, sign=sign, as_json=json)


@task(
    name="import",
    positional=["file"],
    auto_shortflags=False,
    help={"file": "a bundle", "key": "refuse what was not signed with this public key (PEM)"} | JSON,
)
def import_(_context: Context, file: str, key: str | None = None, json: bool = False) -> None:
    """Bring a bundle's run into the store, checked."""
    bundlecommands.import_bundle(file, key=key, as_json=json)


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


@task(positional=["scheduler"], help={"scheduler": "dask://HOST:PORT, or tls://HOST:PORT"})
def worker(_context: Context, scheduler: str) -> None:
    """Make steps here for runs with --on dask://HOST:PORT."""
    farmcommands.start_worker(scheduler)


@task(
    positional=["address"],
    help={"address": "where it listens, HOST:PORT (default: this machine only, so that others come by SSH)"},
)
def scheduler(_context: Context, address: str = farmcommands.HOME) -> None:
    """Hand steps of runs to the workers of a farm."""
    farmcommands.start_scheduler(address)


@task(
    positional=["names"],
    help={"names": "images, separated by commas (default: all for this host)", "debug": "show tracebacks"},
)
def build(_context: Context, names: str = "", debug: bool = False) -> None:
    """Build container images."""
    imagecommands.build_images(names, debug=debug)


@task(
    name="verify",
    positional=["names"],
    auto_shortflags=False,
    help={
        "names": "images, separated by commas (default: all for this host)",
        "against": "what another site printed with --json, or saved: build once, and compare with that",
        "debug": "show tracebacks",
    }
    | JSON,
)
def verify_image(
    _context: Context, names: str = "", against: str | None = None, json: bool = False, debug: bool = False
) -> None:
    """Build images twice from nothing and compare bytes."""
    imagecommands.verify_images(names, against=against, as_json=json, debug=debug)


@task(
    positional=["name"],
    auto_shortflags=False,
    help={
        "name": "an image",
        "to": "the file to write: Docker, podman, skopeo and Apptainer read it",
        "debug": "show tracebacks",
    }
    | JSON,
)
def save(_context: Context, name: str, to: str, json: bool = False, debug: bool = False) -> None:
    """Write an image into a file, the same bytes anywhere."""
    imagecommands.save_image(name, to=to, as_json=json, debug=debug)


@task(
    positional=["names"],
    auto_shortflags=False,
    help={
        "names": "images, separated by commas (default: all that are built)",
        "to": "a folder for one CycloneDX file of each image",
        "debug": "show tracebacks",
    }
    | JSON,
)
def sbom(_context: Context, names: str = "", to: str | None = None, json: bool = False, debug: bool = False) -> None:
    """Say what images hold, as CycloneDX documents."""
    imagecommands.write_bills(names, to=to, as_json=json, debug=debug)


@task(
    positional=["names"],
    auto_shortflags=False,
    help={
        "names": "locks, separated by commas, such as train,host,base-bookworm (default: all)",
        "keep": "keep versions that still fit, instead of taking the newest",
        "check": "write nothing; end with 5 when a lock is not what its requirements say",
        "markdown": "print a table for the text of a change",
        "debug": "show tracebacks",
    }
    | JSON,
)
def lock(
    _context: Context,
    names: str = "",
    *,
    keep: bool = False,
    check: bool = False,
    markdown: bool = False,
    json: bool = False,
    debug: bool = False,
) -> None:
    """Refresh all locks; show what changed."""
    imagecommands.lock_images(names, keep=keep, check=check, markdown=markdown, as_json=json, debug=debug)


@task(
    positional=["run"],
    auto_shortflags=False,
    help={
        "run": "a run's name or its beginning (default: the latest; with --against: the bundle's own run is made here)",
        "against": "a bundle of another site, made with ./run bundle, to compare with",
        "only": "only the artifacts of this stage, made from the run's own inputs",
        "engine": "docker, local or auto (default: the run's own)",
        "key": "with --against: the public key that must have signed the bundle",
        "data": "the folder or zip file of --data, which no record names",
        "init": "the weights of --init",
        "meter": "the power meter's log of --meter",
        "jobs": HELP["jobs"],
        "debug": HELP["debug"],
    }
    | JSON,
)
def verify(
    _context: Context,
    run: str = "",
    *,
    against: str | None = None,
    only: str | None = None,
    engine: str = "",
    key: str | None = None,
    data: str | None = None,
    init: str | None = None,
    meter: str | None = None,
    jobs: str = "",
    json: bool = False,
    debug: bool = False,
) -> None:
    """Make a run again and say what is equal, or why not."""
    words: dict[str, Any] = {"run": run or None, "against": against, "only": only, "engine": engine, "key": key}
    words |= {"data": data, "init": init, "meter": meter, "jobs": jobs, "debug": debug}
    verifycommands.verify(words, as_json=json)


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


namespace = Collection(
    everything,
    plan,
    sweep,
    results,
    runs,
    compare,
    keep,
    gc,
    fsck,
    bundle,
    import_,
    verify,
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
    pack,
    lint,
    test,
)
namespace.add_collection(Collection("farm", scheduler, worker))
namespace.add_collection(Collection("image", build, lock, save, sbom, verify_image))
