"""Images by the digest of their recipe: what each is made of, whether it is there, and how it gets there.

The recipe of a Python image is one shared Dockerfile and its own hash-locked requirements; the vendor's tools have
Dockerfiles of their own. Nothing here needs the daemon until an image is looked for.
"""

from __future__ import annotations

import functools
import os
import re
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline import devices, offline
from coralline.catalogue import PROJECT, specs
from coralline.errors import ImageError, ProfileError, nearest
from coralline.images import built
from coralline.images.bases import Base
from coralline.images.failures import Failures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from coralline.engines.base import OnEvent

UNMADE = "not made yet"
LABEL = "coralline.recipe"
OWN_AUTHORITIES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
PASSED_ON = ("PIP_INDEX_URL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
PINS = {"lock": "requirements.lock", "vendor": "vendor.lock", "debian": "debian.lock"}  # files of an image's folder
COPIED = re.compile(r"^COPY (?!--from)(.*)$", re.MULTILINE)
BASE = re.compile(r"^ARG BASE=coralline-base:(\w+)$", re.MULTILINE)


class Images:
    """The images of a project, and what is recorded of them below `home`; `prefix` begins their names in the daemon."""

    def __init__(
        self,
        project: Path = PROJECT,
        home: Path | None = None,
        clock: Callable[[], float] = time.time,
        prefix: str = built.PREFIX,
    ) -> None:
        self._prefix = prefix
        self._docker = project / "docker"
        self._home = home or project / ".coralline" / "images"
        self._clock = clock
        self._failures = Failures(clock)
        self._digest = functools.cache(built.digest_of_files)  # files do not change while a run plans

    def names(self) -> list[str]:
        """Return the names of all images."""
        folders = [path for path in self._docker.iterdir() if path.is_dir() and path.name != "base"]
        return sorted(
            path.name for path in folders if (path / "requirements.lock").exists() or self.is_vendor(path.name)
        )

    def usual(self) -> list[str]:
        """Return the names of the images that this host can use: those for a GPU only where one is."""
        gpu = {variant.image for spec in specs().values() for variant in spec.variants if variant.needs == "gpu"}
        return [name for name in self.names() if name not in gpu or devices.missing("gpu") is None]

    def check(self, name: str) -> None:
        """Raise ProfileError unless there is such an image."""
        if name not in self.names():
            raise ProfileError(f"no such image {name!r}", hint=nearest(name, self.names(), "images"))

    def is_vendor(self, name: str) -> bool:
        """Whether the image holds what only a vendor's own host has."""
        return (self._docker / name / "vendor.lock").exists()

    def lock_path(self, name: str) -> Path:
        """Return where the image's locked requirements are; a vendor's image may have none."""
        return self._docker / name / "requirements.lock"

    def recipe(self, name: str) -> dict[str, str]:
        """Return digests of what the image is made from, for keys; `base` is final once it was found or built."""
        known = self._base(name).recorded()
        parts = {
            "dockerfile": self._digest((self._dockerfile(name), *self._helpers(name))),
            "base": UNMADE if known is None else str(known["identity"]),
        }
        for part, file in PINS.items():
            path = self._docker / name / file
            if path.exists():
                parts[part] = self._digest((path,))
        return parts

    def recorded(self, name: str) -> dict[str, Any] | None:
        """Return what was recorded when the image was built from the present recipe. Does not ask the daemon."""
        return built.load(self._state(name), built.digest_of(self.recipe(name)))

    def find(self, name: str) -> str | None:
        """Return the id of the image when the daemon has it.

        Raises:
            EngineError: the daemon does not answer.
        """
        from coralline import daemon

        known = self.recorded(name)
        if known is not None and daemon.image(known["id"]) is not None:
            return str(known["id"])
        if self._base(name).find() is None:
            return None
        recipe = self.recipe(name)
        found = daemon.image_with(LABEL, built.digest_of([name, recipe]))
        if found is not None:  # built before, and our record of it was lost
            from coralline.images import kept

            kept.tag(found, self.tag(name))  # else it goes when another name that it has is taken away
            self._record(name, recipe, found)
        return found

    def tag(self, name: str) -> str:
        """Return the name that the daemon knows the image by; `base` must be final."""
        return f"{self._prefix}{name}:{built.digest_of(self.recipe(name))[:12]}"

    def identity(self, name: str) -> dict[str, str]:
        """Return the image's id, its base and how that was made, for records; empty for an image that is not built."""
        image, base = self.recorded(name), self._base(name).recorded()
        if image is None or base is None:
            return {}
        return {"image": str(image["id"]), "base": str(base["identity"]), "base_way": str(base["way"])}

    def base(self, name: str) -> dict[str, Any] | None:
        """Return what was recorded when the base of an image was made, or None while it is not."""
        return self._base(name).recorded()

    def unavailable(self, name: str) -> str | None:
        """Say why the image could not be built lately, or None."""
        return self._failures.reason(self._failure(name), self._failure_recipe(name))

    def build(self, name: str, progress: OnEvent, *, fresh: bool = False) -> str:
        """Build the image unless the daemon has it, and return its id; `fresh` builds it again without any cache.

        Raises:
            ImageError: it cannot be built, with the reason and the remedy.
            EngineError: Docker is missing or refuses.
            ProfileError: there is no such image.
        """
        self.check(name)
        with built.held(self._home / f"{name}.lock"):
            found = None if fresh else self.find(name)
            if found is not None:
                return found
            try:
                pack = offline.Pack.given()
                if pack is not None:
                    return self._taken(name, pack)
                self._probe(name)
                image_id = self._build(name, self._base(name).make(progress), progress, fresh=fresh)
            except ImageError as error:
                self._remember(name, error)
                raise
            self._failure(name).unlink(missing_ok=True)
            return image_id

    def _taken(self, name: str, pack: offline.Pack) -> str:
        """Load the image and its base from what was packed for a site without network."""
        from coralline.images import kept

        for part in (f"base-{self.base_path(name).stem}", name):
            archive = pack.image(part)
            if archive is None:
                hint = "pack again with --images where there is a network, or run with --engine local"
                raise ImageError(f"the image {name} is not in {pack.folder}", hint=hint)
            kept.take(archive)
        found = self.find(name)
        if found is None:
            raise ImageError(
                f"the image {name} in {pack.folder} is not that of this checkout",
                hint="it was packed from another version of the project: use the one that lies beside it",
            )
        return found

    def _probe(self, name: str) -> None:
        """Ask the vendor before a base is made for nothing: that takes minutes, this seconds."""
        if not self.is_vendor(name) or self._base(name).find() is not None:
            return
        from coralline.images import builder

        log = self._home / f"{name}.log"
        command = [sys.executable, str(self._docker / "fetch.py"), "--probe", str(self._docker / name / "vendor.lock")]
        lines = builder.run(command, log)
        if lines is not None:
            raise builder.failure(f"the image {name}", lines, log)

    def _build(self, name: str, base: dict[str, Any], progress: OnEvent, *, fresh: bool) -> str:
        from coralline.images import builder, kept

        recipe, log = self.recipe(name), self._home / f"{name}.log"
        log.unlink(missing_ok=True)
        started = self._clock()
        with _context(self._docker) as context:
            wanted = builder.Build(
                name=name,
                context=context,
                dockerfile=context / self._dockerfile(name).relative_to(self._docker),
                tag=self.tag(name),
                arguments={"BASE": base["tag"], "NAME": name},
                passed=tuple(variable for variable in PASSED_ON if os.environ.get(variable)),
                labels=_labels(name, recipe, base),
                fresh=fresh,
            )
            image_id = builder.build(wanted, log, lambda line: _say(progress, name, line))
        image_id = kept.settle(image_id, name=wanted.tag, log=log)
        self._record(name, recipe, image_id, seconds=self._clock() - started)
        return image_id

    def _record(self, name: str, recipe: dict[str, str], image_id: str, seconds: float | None = None) -> None:
        from coralline import daemon

        found = daemon.image(image_id)
        assert found is not None  # noqa: S101 - it was just built or found
        document = {
            "schema": "coralline.image",
            "version": 1,
            "name": name,
            "recipe": recipe,
            "recipe_digest": built.digest_of(recipe),
            "id": image_id,
            "layers": found["RootFS"]["Layers"],
            "size_bytes": found["Size"],
            "seconds": seconds,
        }
        built.save(self._state(name), document)

    def _remember(self, name: str, error: ImageError) -> None:
        if self.is_vendor(name):
            reason = f"{error.message}; `./run image.build {name}` asks again"
            self._failures.remember(self._failure(name), self._failure_recipe(name), reason)

    def base_path(self, name: str) -> Path:
        """Return where the image's base is described."""
        suite = BASE.search(self._dockerfile(name).read_text(encoding="utf-8"))
        assert suite is not None, name  # noqa: S101 - every Dockerfile of ours has the line; a test looks
        return self._docker / "base" / f"{suite[1]}.toml"

    def _base(self, name: str) -> Base:
        return Base(self.base_path(name), self._home, self._prefix)

    def _dockerfile(self, name: str) -> Path:
        own = self._docker / name / "Dockerfile"
        return own if own.exists() else self._docker / "stage.Dockerfile"

    def _helpers(self, name: str) -> tuple[Path, ...]:
        """Return the files that its Dockerfile copies besides its locks: they decide what it holds, too."""
        copied = COPIED.findall(self._dockerfile(name).read_text(encoding="utf-8"))
        files = {word for line in copied for word in line.split()[:-1]} - {"ca.crt*"}
        return tuple(sorted(self._docker / file for file in files if "$" not in file and not file.endswith(".lock")))

    def _failure_recipe(self, name: str) -> str:
        return built.digest_of({part: value for part, value in self.recipe(name).items() if part != "base"})

    def _state(self, name: str) -> Path:
        return self._home / f"{name}.json"

    def _failure(self, name: str) -> Path:
        return self._home / f"{name}.failed.json"


@contextmanager
def _context(docker: Path) -> Iterator[Path]:
    """Make a build context: the docker folder, and the host's certificate authorities where it has its own."""
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(prefix="coralline-build-") as folder:
        context = Path(folder) / "docker"
        shutil.copytree(docker, context)
        bundle = next((os.environ[name] for name in OWN_AUTHORITIES if os.environ.get(name)), None)
        if bundle is not None:
            shutil.copyfile(bundle, context / "ca.crt")
        yield context


def _labels(name: str, recipe: dict[str, str], base: dict[str, Any]) -> dict[str, str]:
    return {
        LABEL: built.digest_of([name, recipe]),
        "org.opencontainers.image.title": f"coralline-{name}",
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.base.digest": str(base["layers"][0]),
    }


def _say(progress: OnEvent, name: str, line: str) -> None:
    progress({"event": "build", "image": name, "message": line})
