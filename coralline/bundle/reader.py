"""A bundle of whoever gave it, checked from end to end before anything in it is believed.

What holds once a `Bundle` is open: every byte is as it was when the bundle was made; each record's key is the digest of
its parts, and its digest that of its list of files; the outputs, where there are any, are those files. What cannot hold
without a signature: that nobody made the whole bundle anew (signatures.py).
"""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline.bundle import documents, foreign, shapes
from coralline.bundle.archive import Archive
from coralline.bundle.foreign import UNREADABLE
from coralline.bundle.layout import (
    CRATE,
    FILES,
    MANIFEST,
    MOST_VALUES,
    OWN,
    RECORD,
    RUN,
    SEALED_MANIFEST,
    broken,
    check_name,
    is_listing,
    member_of,
    object_of,
)
from coralline.errors import ArtifactError
from coralline.key import canonical, key_of
from coralline.runs import Run
from coralline.store import Artifact, content_digest, sealed, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

Listing = dict[str, list[Any]]  # path -> [sha256, size in bytes]


class Bundle:
    """The bundle in the zip file at `path`; use as a context manager, since what is looked at is unpacked for so long.

    `run` is the run as it was recorded, its folder a temporary one with the logs. `progress(done, total)` counts bytes.

    Raises:
        ProfileError: there is no such file.
        ArtifactError: it is not a bundle, or not what it was, with the name of what is wrong.
    """

    def __init__(self, path: Path, progress: Callable[[int, int], None] = lambda _done, _total: None) -> None:
        self.archive = Archive(path)
        self._values = 0
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        try:
            self.manifest = self._manifest()
            self._check_members(progress)
            self._listings: dict[str, Listing] = {}
            self._whole: set[str] = set()
            self._records = {key: self._record(key, outputs) for key, outputs in self._objects().items()}
            self.run = self._run()
            self._check_derived()
        except BaseException:
            self.close()
            raise

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the artifacts, sorted."""
        return tuple(sorted(self._records))

    @property
    def version(self) -> str:
        """The version of Coralline that made the bundle."""
        told: str = self.manifest["coralline"]
        return told

    def digest_of(self, name: str) -> str:
        """Return the SHA-256 of a member as it was when the bundle was opened, whatever is in the file by now."""
        told: str = self.digest if name == MANIFEST else self.manifest["members"][name][0]
        return told

    def has_outputs(self, key: str) -> bool:
        """Whether the outputs of an artifact are in the bundle too."""
        return key in self._whole

    def files(self, key: str) -> Listing:
        """Return the list of an artifact's files."""
        return self._listings[key]

    def record(self, key: str) -> dict[str, Any]:
        """Return an artifact's record."""
        return self._records[key]

    def find(self, key: str) -> Artifact | None:
        """Return the artifact of `key`, or None. Its outputs are unpacked; without them its folder does not exist."""
        if key not in self._records:
            return None
        home = self._folder() / "objects" / key
        if self.has_outputs(key) and not home.exists():
            self.unpack(key, home)
        return Artifact(key, home, self._records[key])

    def unpack(self, key: str, home: Path) -> None:
        """Write an artifact into the folder `home`: outputs, record and list of files, checked once more on the way."""
        for path in [RECORD, FILES, *self._listings[key]]:
            self._save(member_of(key, path), home / path)

    def unpack_run(self, folder: Path) -> None:
        """Write the run and its logs into a folder."""
        for name in self.archive.members:
            if name == RUN or name.startswith("logs/"):
                self._save(name, folder / name)

    def close(self) -> None:
        """Let the file go and remove what was unpacked."""
        self.archive.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _manifest(self) -> dict[str, Any]:
        content = self.archive.read(MANIFEST)
        self.digest = hashlib.sha256(content).hexdigest()  # it binds every byte of the bundle
        told = self._parsed(MANIFEST, content)
        if (
            not isinstance(told, dict)
            or told.get("schema") != "coralline.bundle"
            or type(told.get("version")) is not int
            or not shapes.is_word(told.get("coralline"))
            or not is_listing(told.get("members"))
        ):
            raise broken(MANIFEST, "is not a manifest that this version can read")
        if not 1 <= told["version"] <= documents.FORM:
            raise ArtifactError(
                f"{MANIFEST} is of form {told['version']}, by Coralline {told['coralline']}; here forms up to"
                f" {documents.FORM} can be read",
                hint="bring this Coralline up to date, or ask for a bundle made with an earlier one",
            )
        return told

    def _check_members(self, progress: Callable[[int, int], None]) -> None:
        told: Listing = self.manifest["members"]
        there = self.archive.members.keys() - {MANIFEST, SEALED_MANIFEST}
        for name in sorted(there ^ told.keys()):
            raise broken(name, "is missing" if name in told else "is not in the manifest")
        done = 0
        for name, member in self.archive.members.items():
            digest, checksum = hashlib.sha256(), 0
            for block in self.archive.blocks(name):
                digest.update(block)
                checksum = zlib.crc32(block, checksum)
            if name in told and told[name] != [digest.hexdigest(), member.size]:
                raise broken(name, "is not what the manifest says")
            if checksum != member.checksum:  # all that finds damage of the manifest's own signature
                raise broken(name, "is damaged")
            done += member.size
            progress(done, self.archive.size)

    def _objects(self) -> dict[str, set[str]]:
        """List the paths in each artifact's folder, by key."""
        found: dict[str, set[str]] = defaultdict(set)
        for name in self.archive.members:
            if inside := object_of(name):
                found[inside[0]].add(inside[1])
        return found

    def _record(self, key: str, paths: set[str]) -> dict[str, Any]:
        record: dict[str, Any] = self.document(member_of(key, RECORD))
        files = self.document(member_of(key, FILES))
        if not is_listing(files) or OWN & files.keys():
            raise broken(member_of(key, FILES), "is not a list of files")
        for path in files:
            check_name(member_of(key, path))
        self._listings[key] = files
        _check_record(key, record, files)
        self._check_text(member_of(key, RECORD), text_of(record).encode())
        self._check_text(member_of(key, FILES), canonical(files) + b"\n")
        outputs = paths - OWN
        if outputs:
            self._whole.add(key)
        if outputs and outputs != files.keys():
            name = min(outputs ^ files.keys())
            raise broken(member_of(key, name), "is missing" if name in files else "is not in files.json")
        for path in outputs:
            if self.manifest["members"][member_of(key, path)] != files[path]:
                raise broken(member_of(key, path), "is not what files.json says")
        return record

    def _check_derived(self) -> None:
        """Derive once more what was derived from run, records and lists of files; it must be the same bytes.

        An earlier version derived other words: of those it must be the same digests.
        """
        told: Listing = self.manifest["members"]
        story = documents.Story(self.document(RUN), self._records, self._listings, self.version)
        try:
            derived = {**dict(story.statements()), CRATE: story.crate(told)}
            if self.manifest["version"] < documents.FORM:
                wrong = list(story.misstated(told, self.document))
            else:
                wrong = [name for name, content in derived.items() if told.get(name) != documents.entry(content)]
        except UNREADABLE as error:
            raise broken(
                RUN, f"and the records do not tell enough to derive provenance from them: {error!r}"
            ) from error
        for name in wrong:
            raise broken(name, "does not say what the records say")

    def _run(self) -> Run:
        told = self.document(RUN)
        try:
            if (told["schema"], told["version"]) != ("coralline.run", 1):
                raise broken(RUN, "is not a run that this version can read")
            if not shapes.is_run(told):
                raise broken(RUN, "does not tell of a run as runs are told of")
        except UNREADABLE as error:
            raise broken(RUN, f"does not tell of a run: {error!r}") from error
        folder = self._folder() / "run"
        self.unpack_run(folder)
        run = Run(told["run"], folder, told["request"], told["steps"], told["ended"])
        keys = {step["key"] for step in run.steps.values() if step["state"] in shapes.MADE}
        for key in sorted(keys ^ self._records.keys()):
            raise broken(member_of(key, RECORD), "is missing" if key in keys else "is not an artifact of the run")
        return run

    def _check_text(self, name: str, text: bytes) -> None:
        """Demand the one text that a document has: another that says the same could say something else to others."""
        if self.manifest["members"][name] != documents.entry(text):
            raise broken(name, "is not written as such documents are")

    def document(self, name: str) -> Any:
        """Read a JSON document, once its size and depth are known to be bearable."""
        content, told = self.archive.read(name), self.manifest["members"].get(name)
        if told is not None and documents.entry(content) != told:
            raise broken(name, "changed while it was read")
        return self._parsed(name, content)

    def _parsed(self, name: str, content: bytes) -> Any:
        try:
            if not content.isascii():  # with one wide letter a whole text takes four times its bytes
                raise broken(name, "is not written in ASCII, as the documents of a bundle are")
            self._values += foreign.count(content)
            if self._values > MOST_VALUES:
                raise broken(name, "holds more than the documents of a bundle may hold together")
            return foreign.parse(content)
        except (ValueError, RecursionError) as error:
            raise broken(name, f"is not JSON as a bundle has it: {error}") from error

    def _save(self, name: str, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with place.open("xb") as file:
            for block in self.archive.blocks(name):
                digest.update(block)
                file.write(block)
        if digest.hexdigest() != self.manifest["members"][name][0]:
            raise broken(name, "changed while it was read")

    def _folder(self) -> Path:
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="coralline-bundle-")
        return Path(self._temporary.name)


def _check_record(key: str, record: Any, files: Mapping[str, Any]) -> None:
    """Check that a record is of its key and of its files, and has the shape that those who read records count on."""
    name = member_of(key, RECORD)
    try:
        if (record["schema"], record["version"]) != ("coralline.record", 1):
            raise broken(name, "is not a record that this version can read")
        if not record["key"] == key == key_of(record["key_parts"]):
            raise broken(name, "does not belong to its key: the parts of the key give another one")
        if record["digest"] != content_digest(files):
            raise broken(name, "does not have the digest of its files.json")
        if "seal" in record and sealed(record) != text_of(record):
            raise broken(name, "is not what its seal says")
        if not shapes.is_record(record):
            raise broken(name, "names its step, its run or its numbers in a way that none is named")
    except UNREADABLE as error:
        raise broken(name, f"is not a record: {error!r}") from error
