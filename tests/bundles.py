"""A store with one small finished run, and bundles that say something else than what they were made with."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from fakes import spec

from coralline.bundle import archive, contents, importing, writer
from coralline.bundle.reader import Bundle
from coralline.errors import ArtifactError
from coralline.key import key_of
from coralline.store import Store

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from coralline.notices import Notice

RUN = "20260102-030405-678"
VERSION = "0.1.0"
HOST = {"cpu_model": "abacus", "cores": 2, "fingerprint": "0" * 16}
LOG = b'File "/home/ada/project/stages/one/__main__.py", line 3\nread /srv/data/artifacts/objects/' + b"a" * 64 + b"\n"
Members = dict[str, bytes]


@dataclass
class Sample:
    """A store below `root` whose one run made `one` and then, from it, `two`."""

    root: Path
    keys: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)  # what every step went on without

    @property
    def store(self) -> Store:
        return Store(self.root)

    def make(self) -> Sample:
        first = self.publish("one", {"size": 3}, {}, {"out.json": b"{}", "images/a b.png": b"picture"})
        second = self.publish("two", {"size": 4, "model": "x"}, {"one": first}, {"out.json": b'{"x": 1}'})
        steps = {
            "one": {"state": "made", "reason": "not made before", "key": self.keys["one"]},
            "two": {"state": "made", "reason": "not made before", "key": self.keys["two"]},
            "compile": {"state": "blocked", "reason": "no compiler", "key": None},
        }
        assert first != second
        folder = self.root / "runs" / RUN
        (folder / "logs").mkdir(parents=True)
        request = {"models": ["x"], "profile": "/home/ada/mine.toml", "values": {"one.size": 3}}
        known = {"schema": "coralline.run", "version": 1, "run": RUN, "request": request, "steps": steps, "ended": True}
        (folder / "run.json").write_text(json.dumps(known))
        (folder / "logs" / "one.log").write_bytes(LOG)
        (folder / "logs" / "one.step.json").write_text('{"out": "/srv/data/artifacts/building"}')
        return self

    def publish(
        self, stage: str, parameters: dict[str, Any], inputs: dict[str, str], files: Mapping[str, bytes]
    ) -> str:
        """Publish an artifact as a run does; its digest."""
        image = {"name": "image-" + stage, "engine": "local", "lock": "1" * 64, "python": "3.11"}
        parts = {
            "stage": stage, "parameters": parameters, "inputs": inputs, "image": image,
            "code": {f"stages/{stage}/__main__.py": "2" * 64}, "host": None, "missing": self.missing,
        }  # fmt: skip
        record = {
            "schema": "coralline.record", "version": 1, "label": stage, "stage": stage, "axes": {}, "run": RUN,
            "coralline": VERSION,
            "key_parts": parts, "engine": {"name": "local", "python": "3.11.9"}, "host": HOST, "threads": 2,
            "revision": {"commit": "c" * 40, "dirty": True},
            "started": "2026-01-02T03:04:06Z", "seconds": 1.5, "warnings": [],
        }  # fmt: skip
        key = self.keys[stage] = key_of(parts)
        with self.store.building(key, lambda: None, lambda: False) as folder:
            assert folder is not None
            for path, content in files.items():
                (folder / path).parent.mkdir(exist_ok=True)
                (folder / path).write_bytes(content)
            (folder / "record.json").write_text(
                json.dumps({"numbers": [{"metric": "answer", "value": 42.0, "unit": "1"}], "facts": {}})
            )
            return self.store.publish(folder, key, spec(stage).outputs, record).digest

    def bundle(self, place: Path, *, outputs: bool = True, sign: Any = None) -> Path:
        """Write the bundle of the run."""
        from coralline import runs

        with self.store.used() as store:
            gathered = contents.gather(runs.load(self.root, RUN), store, outputs=outputs, version=VERSION)
        writer.write(gathered, place, sign=sign)
        return place


def members_of(bundle: Path) -> Members:
    """All members of a bundle."""
    with zipfile.ZipFile(bundle) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def forge(bundle: Path, change: Callable[[Members], None]) -> Path:
    """Change a bundle as somebody would who knows its form: manifest and seal are made anew."""
    members = members_of(bundle)
    change(members)
    told = json.loads(members.pop("manifest.json"))
    listed = {name: content for name, content in members.items() if name != "manifest.dsse.json"}
    told["members"] = {name: [hashlib.sha256(text).hexdigest(), len(text)] for name, text in listed.items()}
    manifest = (json.dumps(told, indent=1, sort_keys=True) + "\n").encode()
    sources = [archive.Source(name, len(text), lambda text=text: (text,)) for name, text in members.items()]  # type: ignore[misc]
    with bundle.open("w+b") as file:
        archive.write(file, sources, manifest)
    return bundle


def seal(place: Path, zipped: io.BytesIO, manifest: bytes = b"{}") -> Path:
    """Give any zip file that has no comment the seal of a bundle, as a hostile maker would."""
    content = zipped.getvalue()
    end = content.rindex(b"PK\x05\x06")
    start = int.from_bytes(content[end + 16 : end + 20], "little")
    form = b"coralline.bundle 1 manifest %b list %b"
    length = len(form % (b"0" * 64, b"0" * 64)).to_bytes(2, "little")
    listed = content[start : end + 20] + length
    comment = form % (hashlib.sha256(manifest).hexdigest().encode(), hashlib.sha256(listed).hexdigest().encode())
    place.write_bytes(content[:start] + listed + comment)
    return place


def refused(path: Path) -> str:
    """Open a bundle that must be refused; the first line of the refusal."""
    with pytest.raises(ArtifactError) as told, Bundle(path):
        pass
    return told.value.message


def unheard(_notice: Notice) -> None:
    pass


def bring(bundle: Path, store: Store) -> importing.Imported:
    """Import a bundle of which everything is expected to be right."""
    with Bundle(bundle) as opened:
        return importing.bring_in(opened, store, unheard)
