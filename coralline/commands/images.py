"""The tasks about container images and locks: they build, compare, save, describe and refresh; they run no step."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline import catalogue, console, session
from coralline.console.ending import guarded, print_json
from coralline.engines import HOME
from coralline.errors import EngineError, ImageError, ProfileError
from coralline.notices import Kind, Notice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coralline.engines.base import OnEvent
    from coralline.errors import CorallineError
    from coralline.images import Images
    from coralline.images.locks import Refreshable, Refreshed
    from coralline.images.sbom import Bill
    from coralline.images.verify import Verdict, Verification


def build_images(names: str, *, debug: bool) -> None:
    """Build images and print their ids; those of a vendor may be out of reach, unless they were named."""
    with guarded(debug=debug):
        images, named = _images(), _words(names)
        with _watched() as watcher:
            built = {name: _built(images, name, watcher, must=name in named) for name in named or images.usual()}
        for name, told in built.items():
            print(f"{name:20} {told}")


def verify_images(names: str, *, against: str | None, as_json: bool, debug: bool) -> None:
    """Build images from nothing and print whether each layer is the same bytes; end with 5 when one is not."""
    from coralline.images import digests, verdicts
    from coralline.images.verify import Verification

    with guarded(debug=debug):
        images, named = _images(), _words(names)
        for name in named:
            images.check(name)
        there = None if against is None else digests.read(Path(against))
        wanted = named or [name for name in images.usual() if there is None or name in there]
        with _watched() as watcher, Verification(images, HOME / "images", there, against or "") as verification:
            tell = _builds(watcher, len(wanted) * verification.builds)
            found, trouble = _verified(verification, wanted, tell)
        if as_json:
            print_json(verdicts.document(found))
        else:
            headers, rows = verdicts.table(found)
            console.show_table(headers, rows, disable_numparse=True)
            for remark in verdicts.remarks(found):
                print(remark)
        for name, error in trouble.items():  # said last: what was found of the others is not lost
            if name in named or not images.is_vendor(name):
                raise error
        verdicts.end(found, there)


def _verified(
    verification: Verification, wanted: list[str], tell: OnEvent
) -> tuple[dict[str, Verdict | str], dict[str, CorallineError]]:
    """Verify images; return what was found of each, or why it cannot be had, and those errors."""
    found: dict[str, Verdict | str] = {}
    trouble: dict[str, CorallineError] = {}
    for name in wanted:
        try:
            found[name] = verification.verify(name, partial(_tell_of, tell, name))
        except (EngineError, ImageError) as error:
            found[name], trouble[name] = error.message, error
    return found, trouble


def _tell_of(tell: OnEvent, name: str, event: dict[str, Any]) -> None:
    tell({**event, "image": name})


def save_image(name: str, *, to: str, as_json: bool, debug: bool) -> None:
    """Write an image, built where it is missing, into a file that every container tool reads."""
    from coralline.images.export import export

    with guarded(debug=debug):
        images, out = _images(), Path(to).expanduser().absolute()
        images.check(name)
        with _watched() as watcher:
            image_id = _built(images, name, watcher, must=True)
            label, unit = f"image {name}", "MB"

            def tell(done: int, total: int) -> None:
                watcher.notify(
                    Notice(kind=Kind.PROGRESS, label=label, done=done // 10**6, total=total // 10**6, unit=unit)
                )

            tag = images.tag(name)
            sha256 = export(image_id, tag, out, tell)
        if as_json:
            told = {"schema": "coralline.image-archive", "version": 1, "tag": tag, "file": str(out), "sha256": sha256}
            print_json(told)
        else:
            print(f"{tag}  {out}  {sha256}")


def write_bills(names: str, *, to: str | None, as_json: bool, debug: bool) -> None:
    """Print what images hold, in numbers; with `to` write the bill of materials of each into that folder."""
    from coralline.images import sbom

    with guarded(debug=debug):
        images, named = _images(), _words(names)
        for name in named:
            images.check(name)
        with _watched() as watcher:
            wanted = named or [name for name in images.usual() if images.find(name) is not None]
            tell = _counting(watcher, "image.sbom", len(wanted), "images")
            rows = []
            for name in wanted:
                tell(name)
                bill = sbom.bill(images, name, HOME / "environments", partial(tell, more=False))
                rows.append({"image": name, **bill.counts, **(_written(bill, Path(to)) if to else {})})
        if as_json:
            print_json({"schema": "coralline.image-bills", "version": 1, "images": rows})
        else:
            console.show_table(list(rows[0]) if rows else [], [list(row.values()) for row in rows])


def _written(bill: Bill, folder: Path) -> dict[str, str]:
    """Write a bill of materials; return the file and its SHA-256."""
    import hashlib

    path = folder / f"{bill.name}.cdx.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(bill.text, encoding="utf-8")
    except OSError as error:
        raise ProfileError(f"{str(path)!r} cannot be written: {error.strerror}", hint="give another folder") from error
    return {"file": str(path), "sha256": hashlib.sha256(bill.text.encode()).hexdigest()}


def lock_images(names: str, *, keep: bool, check: bool, markdown: bool, as_json: bool, debug: bool) -> None:
    """Make locks anew from their requirements and print what changed; with `check` write nothing.

    Only `check` ends with an exit code: a lock that is not what its requirements say is an error, an old one is not.
    """
    from coralline.images import locks, locktables

    with guarded(debug=debug):
        if markdown and as_json:
            raise ProfileError("--json and --markdown are two forms of one answer", hint="give one of them")
        known = locks.known(catalogue.PROJECT)
        wanted = [known[name] for name in locks.chosen(_words(names), known)]
        with _watched() as watcher:
            tell = _counting(watcher, "locks", len(wanted), "locks")
            done = []
            for lock in wanted:
                tell(lock.name)
                done.append(_refreshed(lock, upgrade=not (keep or check), write=not check, must=bool(_words(names))))
        if as_json:
            print_json(locktables.document(done, catalogue.PROJECT))
        else:
            print(*(locktables.markdown(done) if markdown else locktables.lines(done)), sep="\n")
        if check:
            _end_on_stale(done)


def _refreshed(lock: Refreshable, *, upgrade: bool, write: bool, must: bool) -> Refreshed:
    """Refresh a lock; a base or vendor that cannot be asked here is a note, unless it was named."""
    from coralline.images.locks import Lock, Refreshed

    try:
        return lock.refresh(upgrade=upgrade, write=write)
    except (EngineError, ImageError) as error:
        if must or isinstance(lock, Lock):
            raise
        return Refreshed(name=lock.name, path=lock.path, changed=False, note=f"kept: {error.message}")


def _end_on_stale(done: list[Refreshed]) -> None:
    stale = [lock.name for lock in done if lock.changed]
    if stale:
        raise ImageError(
            f"not what their requirements say: {', '.join(stale)}", hint=f"./run image.lock {','.join(stale)} --keep"
        )


def _built(images: Images, name: str, watcher: console.Watcher, *, must: bool) -> str:
    try:
        return images.build(name, lambda event: watcher.notify(session.preparing(name, event)))
    except ImageError as error:
        if must or not images.is_vendor(name):
            raise
        return f"not built: {error.message}"


def _images() -> Images:
    from coralline.images import Images

    return Images(catalogue.PROJECT, HOME / "images")


def _words(names: str) -> list[str]:
    return [name for name in names.split(",") if name]


@contextmanager
def _watched() -> Iterator[console.Watcher]:
    """Have what happens told until the block ends, and builders ended with it."""
    watcher = console.watcher()
    try:
        with session.interruptible():
            yield watcher
    finally:
        watcher.close()


def _counting(watcher: console.Watcher, label: str, total: int, unit: str) -> Any:
    """Return a function that tells what is begun, and how many of all were done before it."""
    begun = -1

    def tell(text: str, *, more: bool = True) -> None:
        nonlocal begun
        begun += more
        watcher.notify(Notice(kind=Kind.PROGRESS, label=label, text=text, done=begun, total=total, unit=unit))

    return tell


def _builds(watcher: console.Watcher, total: int) -> OnEvent:
    """Return what turns the events of builds into progress over all of them."""
    from coralline.images.verify import BEGUN

    begun = 0

    def tell(event: dict[str, Any]) -> None:
        nonlocal begun
        begun += event["event"] == BEGUN
        kind = Kind.WARNING if event["event"] == "warning" else Kind.PROGRESS
        text = f"{event['image']}: {event.get('message', '')}"
        watcher.notify(
            Notice(kind=kind, label="image.verify", text=text, done=max(0, begun - 1), total=total, unit="builds")
        )

    return tell
