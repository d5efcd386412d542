"""What a base is pinned to: the newest image of its release where a registry answers, and the packages that it holds.

The base in use is left alone: another one is made beside it, asked for its packages, and taken away.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from coralline import daemon
from coralline.images import builder, built, kept
from coralline.images.bases import PULL_TIMEOUT_S, Base
from coralline.images.locks import Change, Refreshed

DATED = re.compile(r"-\d{8}(?=-|$)")  # bookworm-20260918-slim: the tag without the date is the newest
IMAGE = re.compile(r'^image = "(?P<repository>[^"@]+):(?P<tag>[^":@]+)@(?P<digest>sha256:[0-9a-f]{64})"$', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseLock:
    """The pins of a base: `description` names its image by digest, and `SUITE.packages` beside it what that held."""

    name: str
    description: Path

    @property
    def path(self) -> Path:
        """Where the packages are listed."""
        return self.description.with_suffix(".packages")

    def refresh(self, *, upgrade: bool, write: bool = True) -> Refreshed:
        """Pin the newest image and list its packages, or those of today's mirror; keep all unless `upgrade`.

        Raises:
            ImageError: no base can be made here.
            EngineError: Docker is missing or refuses.
        """
        if not upgrade:
            return Refreshed(name=self.name, path=self.path, changed=False)
        before = self.path.read_text(encoding="utf-8").split() if self.path.exists() else []
        described = self.description.read_text(encoding="utf-8")
        newest = repinned(described, self._newest(described))
        made = self._made(newest)
        packages, way = sorted(made["packages"]), made["way"]
        if write:
            self.description.write_text(newest, encoding="utf-8")
            self.path.write_text("\n".join(packages) + "\n", encoding="utf-8")
        told = (*_image(described, newest), *changes(before, packages))
        note = "" if way == "image" else "no registry answers: the image stays, the packages are the mirror's of today"
        return Refreshed(name=self.name, path=self.path, changed=bool(told), changes=told, note=note)

    def _newest(self, described: str) -> str | None:
        """Ask the registry for the digest that the release's tag has now; None when it does not answer."""
        found = IMAGE.search(described)
        assert found is not None, self.name  # noqa: S101 - a test looks at every description
        image = f"{found['repository']}:{DATED.sub('', found['tag'])}"
        with tempfile.TemporaryDirectory(prefix="coralline-lock-") as folder:
            command = [builder.client().program, "pull", image]
            if builder.run(command, Path(folder, "log"), limit_s=PULL_TIMEOUT_S) is not None:
                return None
        known = (daemon.image(image) or {}).get("RepoDigests") or []
        return next((str(digest).rpartition("@")[2] for digest in known), None)

    def _made(self, described: str) -> dict[str, list[str] | str]:
        """Make the described base aside and return what is recorded of it."""
        prefix = f"coralline-lock-{built.digest_of(str(self.description))[:8]}-"
        with tempfile.TemporaryDirectory(prefix="coralline-lock-") as folder:
            home = Path(folder)
            shutil.copytree(self.description.parent, home / "base")
            (home / "base" / self.description.name).write_text(described, encoding="utf-8")
            try:
                return Base(home / "base" / self.description.name, home / "known", prefix).make(lambda _: None)
            finally:
                kept.remove_all(prefix)


def repinned(described: str, digest: str | None) -> str:
    """Return the description with another digest for its image; the tag loses its date, which was another image's."""
    found = IMAGE.search(described)
    if digest is None or found is None or found["digest"] == digest:
        return described
    newest = f'image = "{found["repository"]}:{DATED.sub("", found["tag"])}@{digest}"'
    return described[: found.start()] + newest + described[found.end() :]


def changes(before: list[str], after: list[str]) -> tuple[Change, ...]:
    """Say what differs between two lists of `NAME=VERSION`."""
    old, new = (dict(entry.split("=", 1) for entry in entries) for entries in (before, after))
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return tuple(Change(package=name, before=old.get(name, ""), after=new.get(name, "")) for name in names)


def _image(before: str, after: str) -> list[Change]:
    old, new = (tomllib.loads(text)["image"] for text in (before, after))
    return [Change(package="image", before=old, after=new)] if old != new else []
