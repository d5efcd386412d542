"""Brings a bundle into a store: all that it brings was checked before, and each artifact arrives whole or not at all.

What is there already and equal stays; if one thing is there and different, nothing is brought in. To import is to trust
whoever made the bundle: a key says what an artifact was to be made from, and only `verify` that it was.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coralline.bundle.documents import run as plain_run
from coralline.bundle.layout import RUN
from coralline.errors import ArtifactError, ProfileError
from coralline.notices import Kind, Notice
from coralline.runs import IMPORTED
from coralline.store import durable

if TYPE_CHECKING:
    from pathlib import Path

    from coralline.bundle.reader import Bundle
    from coralline.notices import Notify
    from coralline.store import Store


@dataclass(frozen=True, slots=True)
class Imported:
    """What was brought in: labels of artifacts that are new here and that were here, and whether the run is new."""

    run: str
    new: tuple[str, ...]
    known: tuple[str, ...]
    run_is_new: bool


def bring_in(bundle: Bundle, store: Store, notify: Notify) -> Imported:
    """Bring the run of a bundle and its artifacts into a store, and return what was new.

    Raises:
        ProfileError: the bundle holds records only.
        ArtifactError: the store has another artifact under a key, or another run of the name; or the disk is full.
    """
    bare = [key for key in bundle.keys if not bundle.has_outputs(key)]
    if bare:
        label = bundle.record(bare[0])["label"]
        raise ProfileError(f"the outputs of {label} are not in the bundle", hint="ask for one made with --artifacts")
    run_is_new = _run_is_new(bundle, store.root)
    with store.used() as used:
        used.claim(bundle.run.id)
        missing = [key for key in bundle.keys if _is_missing(bundle, key, used)]
        _check_room(bundle, missing, store.root)
        for done, key in enumerate(missing):
            label = str(bundle.record(key)["label"])
            told = Notice(
                kind=Kind.PROGRESS, label="import", text=label, done=done, total=len(missing), unit="artifact"
            )
            notify(told)
            _bring_artifact(bundle, key, used, notify)
        if run_is_new:
            _bring_run(bundle, used)
    labels = {key: str(bundle.record(key)["label"]) for key in bundle.keys}
    new = tuple(sorted(labels[key] for key in missing))
    return Imported(bundle.run.id, new, tuple(sorted(labels[k] for k in labels if k not in missing)), run_is_new)


def _is_missing(bundle: Bundle, key: str, store: Store) -> bool:
    """Whether the store lacks an artifact.

    Raises:
        ArtifactError: it has another one under the key.
    """
    there = store.find(key)
    if there is not None and there.digest != bundle.record(key)["digest"]:
        raise ArtifactError(
            f"{bundle.record(key)['label']}: the store has another artifact under the key {key}",
            hint="two makings of one key differ: ./run verify --against BUNDLE says where; nothing was imported",
        )
    return there is None


def _bring_artifact(bundle: Bundle, key: str, store: Store, notify: Notify) -> None:
    record = bundle.record(key)
    label = str(record["label"])

    def waiting() -> None:
        notify(Notice(kind=Kind.WAITING, label=label, text="a run is making it"))

    with store.building(key, waiting, lambda: False) as folder:
        if folder is not None and _is_missing(bundle, key, store):
            bundle.unpack(key, folder)
            store.adopt(folder, key, record)
    if store.last(label) is None:  # so that a plan can say which parameter was changed
        store.remember(label, key)


def _run_is_new(bundle: Bundle, root: Path) -> bool:
    """Whether the store has no such run.

    Raises:
        ArtifactError: it has another of the name, or one that cannot be read.
    """
    place = root / "runs" / bundle.run.id
    if not place.exists():
        return True
    try:
        known = plain_run(json.loads((place / RUN).read_bytes()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ArtifactError(
            f"the run {bundle.run.id} of the store cannot be read", hint=f"move {place} away, and import again"
        ) from error
    if known != bundle.document(RUN):
        raise ArtifactError(
            f"the store has another run {bundle.run.id}", hint="import into another store: set CORALLINE_ARTIFACTS"
        )
    return False


def _bring_run(bundle: Bundle, store: Store) -> None:
    """Write the run's folder beside its place, and then put it there."""
    name = f"run-{bundle.run.id}"
    with store.building(name, lambda: None, lambda: False) as folder:
        if folder is None or not _run_is_new(bundle, store.root):  # somebody else has just brought it
            return
        bundle.unpack_run(folder)
        marked = {"schema": "coralline.imported", "version": 1, "manifest": bundle.digest}
        (folder / IMPORTED).write_text(json.dumps(marked, indent=1) + "\n", encoding="utf-8")
        place = store.root / "runs" / bundle.run.id
        place.parent.mkdir(parents=True, exist_ok=True)
        durable.sync(folder)
        folder.rename(place)
        durable.sync_folder(place.parent)


def _check_room(bundle: Bundle, missing: list[str], root: Path) -> None:
    from coralline.make import no_room

    needed = sum(entry[1] for key in missing for entry in bundle.files(key).values())
    place = root
    while not place.exists():
        place = place.parent
    if shutil.disk_usage(place).free < needed:
        raise no_room(root)
