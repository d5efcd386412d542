"""Tasks about runs and the store: numbers, differences, room, health, sharing, proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke.tasks import task

from coralline.commands import bundle as bundlecommands
from coralline.commands import results as resultcommands
from coralline.commands import store
from coralline.commands import verify as verifycommands
from coralline.tasks.options import HELP, JSON

if TYPE_CHECKING:
    from invoke.context import Context


@task(positional=["run"], help={"run": "a run's name or its beginning (default: the latest)"} | JSON)
def results(_context: Context, run: str = "", json: bool = False) -> None:
    """Show every number of a run."""
    resultcommands.show_results(run or None, as_json=json)


@task(help=JSON)
def runs(_context: Context, json: bool = False) -> None:
    """List all runs, the newest first."""
    store.show_runs(as_json=json)


@task(
    name="diff",
    positional=["left", "right"],
    auto_shortflags=False,
    help={"left": "a run's name or its beginning", "right": "another's"} | JSON,
)
def compare(_context: Context, left: str, right: str, json: bool = False) -> None:
    """Show what differs between two runs."""
    store.compare_runs(left, right, as_json=json)


@task(
    positional=["run"],
    auto_shortflags=False,
    help={"run": "a run's name or its beginning", "undo": "take the mark away"},
)
def keep(_context: Context, run: str, undo: bool = False) -> None:
    """Mark a run that gc must never take."""
    store.keep_run(run, undo=undo)


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
    store.collect(older_than=older_than, size=size, delete=delete, as_json=json)


@task(help=JSON)
def fsck(_context: Context, json: bool = False) -> None:
    """Check every byte of every artifact."""
    store.check_store(as_json=json)


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
