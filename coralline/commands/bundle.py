"""The tasks that share runs: write one into a bundle, bring one of somebody else's into the store."""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline import __version__, catalogue, console, runs
from coralline.console.ending import guarded, print_json
from coralline.errors import ProfileError
from coralline.notices import Kind, Notice
from coralline.store import Store, uses

if TYPE_CHECKING:
    from collections.abc import Callable

    from coralline.bundle.importing import Imported
    from coralline.notices import Notify

MEBIBYTE = 2**20


def write_bundle(name: str | None, *, artifacts: bool, to: str | None, sign: str | None, as_json: bool) -> None:
    """Write the bundle of a run, and print where it is and its digest."""
    with guarded():
        root = catalogue.artifacts()
        run = _at_rest(runs.load(root, name), root)
        place = Path(to or f"{run.id}.zip").expanduser()
        _check_place(place)
        told = _written(run, root, place, artifacts=artifacts, key=sign)
        if as_json:
            print_json(told)
        else:
            size = told["size_bytes"] / MEBIBYTE
            print(f"{place}  {told['members']} files, {size:.1f} MiB, sha256 {told['sha256']}")
            for lock in told["locks_missing"]:
                print(f"left out: {lock}: the project's lock is not the one that was used")


def import_bundle(file: str, *, key: str | None, as_json: bool) -> None:
    """Check a bundle and bring it into the store; print what is new."""
    from coralline.bundle import importing, signatures
    from coralline.bundle.reader import Bundle
    from coralline.make import full_disk_told

    with guarded():
        path, store = Path(file).expanduser(), Store(catalogue.artifacts())
        watcher = console.watcher()
        try:
            with full_disk_told(store.root), Bundle(path, _counting("checking", path, watcher.notify)) as bundle:
                if key is not None:
                    signatures.check(bundle, Path(key).expanduser(), _saying(watcher.notify))
                told = importing.bring_in(bundle, store, watcher.notify)
        finally:
            watcher.close()
        if as_json:
            known = {"run": told.run, "run_is_new": told.run_is_new, "new": list(told.new), "known": list(told.known)}
            print_json({"schema": "coralline.import", "version": 1, **known, "signed": key is not None})
        else:
            _print_imported(told, signed=key is not None)


def _written(run: runs.Run, root: Path, place: Path, *, artifacts: bool, key: str | None) -> dict[str, Any]:
    from coralline.bundle import contents, signatures, writer
    from coralline.make import full_disk_told

    watcher = console.watcher()
    try:
        with full_disk_told(place.parent), _in_use(Store(root)) as store:
            gathered = contents.gather(run, store, outputs=artifacts, version=__version__)
            private = Path(key or "").expanduser()
            sign = functools.partial(signatures.sign, key=private, say=_saying(watcher.notify)) if key else None
            sha256 = writer.write(gathered, place, sign=sign, progress=_counting("writing", place, watcher.notify))
    finally:
        watcher.close()
    return {
        "schema": "coralline.bundled",
        "version": 1,
        "run": run.id,
        "file": str(place),
        "sha256": sha256,
        "size_bytes": place.stat().st_size,
        "members": len(gathered.listing()) + 1,
        "artifacts": artifacts,
        "signed": key is not None,
        "locks_missing": sorted(gathered.locks_missing),
    }


def _in_use(store: Store) -> contextlib.AbstractContextManager[Store]:
    """Keep what is bundled from being collected meanwhile, where this user may write into the store to say so."""
    return store.used() if os.access(store.root, os.W_OK) else contextlib.nullcontext(store)


def _at_rest(run: runs.Run, root: Path) -> runs.Run:
    """Refuse a run that goes on: what was bundled would be another run than the one that it becomes."""
    if run.state(uses.claimed(root)) is runs.State.GOING_ON:
        raise ProfileError(
            f"run {run.id} still goes on", hint="wait until it has ended: ./run runs lists how far all are"
        )
    return run


def _check_place(place: Path) -> None:
    """Refuse a place where no bundle can be written, before anything is read."""
    if place.exists():
        raise ProfileError(f"there is something at {str(place)!r} already", hint="remove it, or give another --to")
    if not place.absolute().parent.is_dir():
        raise ProfileError(f"there is no folder {str(place.parent)!r}", hint="make it, or give another --to")
    if not os.access(place.absolute().parent, os.W_OK):
        raise ProfileError(f"this user cannot write into the folder {str(place.parent)!r}", hint="give another --to")


def _print_imported(told: Imported, *, signed: bool) -> None:
    run = "new" if told.run_is_new else "here already"
    print(f"run {told.run} ({run}): {len(told.new)} artifacts new, {len(told.known)} here already")
    if not signed:
        print("not checked: who made it; a signed bundle is checked with --key FILE")
    print(f"next    ./run results {told.run}")


def _counting(what: str, path: Path, notify: Notify) -> Callable[[int, int], None]:
    def count(done: int, total: int) -> None:
        size = total // MEBIBYTE
        if size:  # else it is done before anybody could read that it goes on
            text = f"{what} {path.name}"
            notify(Notice(kind=Kind.PROGRESS, label="bundle", text=text, done=done // MEBIBYTE, total=size, unit="MiB"))

    return count


def _saying(notify: Notify) -> Callable[[str], None]:
    return lambda text: notify(Notice(kind=Kind.PROGRESS, label="bundle", text=text))
