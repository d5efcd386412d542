"""The images under all images: Debian by digest where a registry answers, else the same release from its packages.

Which of the two was used, why, and what packages it holds is recorded: the two are never silently different.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from coralline import daemon
from coralline.errors import ImageError
from coralline.images import built
from coralline.images.built import EPOCH, PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from coralline.engines.base import OnEvent

LABEL = "coralline.base"
VARIABLES = [  # as docker/base/Dockerfile sets them
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "PYTHONPATH=/opt/coralline/site:/coralline",
]
PULL_TIMEOUT_S = 300
SHOWN = 3  # differing packages that a warning names


class Base:
    """One base: `description`, `docker/base/SUITE.toml`, says what it holds; what was made is recorded below `home`."""

    def __init__(self, description: Path, home: Path, prefix: str = PREFIX) -> None:
        self._prefix = prefix
        self._folder = description.parent
        self._suite = suite = description.stem
        self._state = home / f"base-{suite}.json"
        self._log = home / f"base-{suite}.log"

    @property
    def recipe(self) -> str:
        """The digest of all that says how the base is made."""
        names = (f"{self._suite}.toml", "Dockerfile", "clean.sh", "debootstrap.sh")
        return built.digest_of_files(self._folder / name for name in names)

    def recorded(self) -> dict[str, Any] | None:
        """Return what is known of the base without asking the daemon, or None while it is not made."""
        return built.load(self._state, self.recipe)

    def find(self) -> dict[str, Any] | None:
        """Return the base when the daemon has it."""
        known = self.recorded()
        if known is not None and daemon.image(known["id"]) is not None:
            return known
        # By name, not by label: whatever is built on a base inherits its labels.
        named = daemon.image(self._tag)
        if named is None or (named["Config"]["Labels"] or {}).get(LABEL) != self.recipe:
            return None
        return self._record(str(named["Id"])) if len(named["RootFS"]["Layers"]) == 1 else None

    def make(self, progress: OnEvent, *, fresh: bool = False) -> dict[str, Any]:
        """Return the base, making it when the daemon does not have it.

        Raises:
            ImageError: neither a registry nor Debian's mirror answers, or mmdebstrap is missing.
        """
        import tomllib

        with built.held(self._state.with_suffix(".lock")):
            found = None if fresh else self.find()
            if found is not None:
                return found
            self._log.unlink(missing_ok=True)
            wanted = tomllib.loads((self._folder / f"{self._suite}.toml").read_text(encoding="utf-8"))
            missing = self._pull(wanted["image"], progress)
            image_id = self._from_packages(wanted, progress) if missing else self._from_image(wanted, progress)
            made = self._record(image_id, no_registry=missing)
            self._compare(made, progress)
            return made

    def _pull(self, image: str, progress: OnEvent) -> str | None:
        """Fetch the pinned image; return why it cannot be had, or None."""
        from coralline.images import builder

        _say(progress, self._suite, f"asking the registry for {image}")
        lines = builder.run([builder.client().program, "pull", image], self._log, limit_s=PULL_TIMEOUT_S)
        if lines is None:
            return None
        return lines[-1] if lines else f"no answer within {PULL_TIMEOUT_S} s"

    def _from_image(self, wanted: dict[str, Any], progress: OnEvent) -> str:
        from coralline.images import builder

        build = builder.Build(
            name=f"base-{self._suite}",
            context=self._folder,
            dockerfile=self._folder / "Dockerfile",
            tag=self._tag,
            arguments={"DEBIAN": wanted["image"], "PACKAGES": " ".join(wanted["packages"])},
            labels=self._labels("image", f"{wanted['image']} {self.recipe[:16]}"),
            fresh=True,
        )
        return builder.build(build, self._log, lambda line: _say(progress, self._suite, line))

    def _from_packages(self, wanted: dict[str, Any], progress: OnEvent) -> str:
        import tempfile
        from pathlib import Path

        from coralline.images import archive, builder, kept

        _say(progress, self._suite, "no registry answers: making the base from Debian's packages")
        with tempfile.TemporaryDirectory(prefix="coralline-base-") as folder:
            root = Path(folder) / "root.tar"
            command = [
                "sh",
                str(self._folder / "debootstrap.sh"),
                wanted["suite"],
                ",".join(wanted["packages"]),
                str(root),
            ]
            lines = builder.run(command, self._log, lambda line: _say(progress, self._suite, line))
            if lines is not None:
                raise builder.failure(f"the base {self._suite}", lines, self._log)
            layer = archive.layer_of(root)
            configuration = archive.config(layer.digest, EPOCH, VARIABLES, self._labels("packages", layer.digest))
            image_id = kept.load([layer], configuration, tag=self._tag, log=self._log)
            if image_id is None:
                raise ImageError(f"the base {self._suite} cannot be loaded into Docker", hint=f"the log is {self._log}")
            return image_id

    @property
    def _tag(self) -> str:
        return f"{self._prefix}base:{self._suite}-{self.recipe[:12]}"

    def _labels(self, way: str, identity: str) -> dict[str, str]:
        return {LABEL: self.recipe, f"{LABEL}.identity": identity, f"{LABEL}.way": way}

    def _record(self, image_id: str, no_registry: str | None = None) -> dict[str, Any]:
        found = daemon.image(image_id)
        assert found is not None  # noqa: S101 - it was just made or found
        labels = found["Config"]["Labels"]
        document = {
            "schema": "coralline.base",
            "version": 1,
            "suite": self._suite,
            "recipe_digest": self.recipe,
            "id": image_id,
            "tag": self._tag,
            "way": labels[f"{LABEL}.way"],
            "identity": labels[f"{LABEL}.identity"],
            "no_registry": no_registry,
            "layers": found["RootFS"]["Layers"],
            "size_bytes": found["Size"],
            "packages": _packages(image_id),
            "recorded": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        self._tag_plainly(image_id)
        built.save(self._state, document)
        return document

    def _tag_plainly(self, image_id: str) -> None:
        """Give the base the name that the Dockerfiles take when they are built by hand."""
        import subprocess

        from coralline.images import builder

        program = builder.client().program
        for tag in (self._tag, f"{self._prefix}base:{self._suite}"):
            subprocess.run([program, "tag", image_id, tag], check=True, env=builder.environment())

    def _compare(self, made: dict[str, Any], progress: OnEvent) -> None:
        """Warn when the mirror's packages are not those that the project was tested with."""
        lock = self._folder / f"{self._suite}.packages"
        expected = set(lock.read_text(encoding="utf-8").split()) if lock.exists() else set()
        differing = sorted(set(made["packages"]) - expected)
        if differing and made["way"] == "packages":
            named = ", ".join(differing[:SHOWN]) + (", ..." if len(differing) > SHOWN else "")
            progress(
                {
                    "event": "warning",
                    "message": f"the base {self._suite} holds {len(differing)} packages other than {lock.name} lists"
                    f" ({named}): artifacts made on it have other keys than elsewhere",
                }
            )


def _packages(image_id: str) -> list[str]:
    import subprocess

    from coralline.images import builder

    command = [builder.client().program, "run", "--rm", "--network", "none", image_id]
    command += ["dpkg-query", "-W", "-f", "${Package}=${Version}\n"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, env=builder.environment())
    return sorted(listed.stdout.split())


def _say(progress: OnEvent, suite: str, line: str) -> None:
    progress({"event": "build", "image": f"base-{suite}", "message": line})
