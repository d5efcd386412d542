"""Builds one image from nothing as another site would: a child process with a checkout, a user and a time of its own.

Nothing of what is in use is touched: the images have other names, and what is known of them is recorded elsewhere.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline.catalogue import PROJECT
from coralline.errors import INTERRUPTED, CorallineError, ImageError
from coralline.images import Images

if TYPE_CHECKING:
    from coralline.engines.base import OnEvent

OF_A_USER = ("HOME", "LANG", "LANGUAGE", "LOGNAME", "TMPDIR", "TZ", "USER")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place that is unlike others in all that must not matter: path, umask, user, language and time zone."""

    folder: Path
    prefix: str
    umask: int
    user: str
    language: str
    zone: str

    @property
    def images(self) -> Images:
        """The images of this site."""
        return Images(self.folder / "checkout", self.folder / "known", prefix=self.prefix)

    def build(self, name: str, progress: OnEvent) -> None:
        """Build the image here, and its base unless this site has it.

        Raises:
            ImageError: it cannot be built.
        """
        command = [sys.executable, "-P", "-m", __name__, str(PROJECT), str(self.folder), self.prefix, name]
        self.folder.mkdir(parents=True, exist_ok=True)
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._environment(),
            umask=self.umask,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            try:
                for line in process.stdout:
                    _pass_on(json.loads(line), progress)
            except BaseException:
                process.send_signal(signal.SIGINT)  # it ends what it started
                raise
        if process.returncode != 0:
            raise ImageError(f"the image {name} cannot be built again", hint="the lines above say why")

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in OF_A_USER and not name.startswith(("LC_", "SOURCE_DATE_EPOCH"))
        }
        temporary, home = self.folder / "temporary", self.folder / "home"
        for place in (temporary, home):
            place.mkdir(exist_ok=True)
            place.chmod(0o755)  # the package manager drops root on the way to it
        own = {"HOME": str(home), "TMPDIR": str(temporary), "USER": self.user, "LOGNAME": self.user}
        spoken = {"TZ": self.zone, "LC_ALL": self.language, "PYTHONPATH": str(PROJECT)}
        client = {"DOCKER_CONFIG": os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker"))}
        return kept | own | spoken | client


def _pass_on(event: dict[str, Any], progress: OnEvent) -> None:
    if event["event"] == "failed":
        raise ImageError(event["message"], hint=event["hint"])
    progress(event)


def main(project: Path, folder: Path, prefix: str, name: str) -> int:
    """Build the image from a copy of the project's recipes; tell what happens as JSON lines; return the exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and so would we
    checkout = folder / "checkout" / "docker"
    if not checkout.exists():  # as a checkout has them: modes by the umask, times of today
        shutil.copytree(project / "docker", checkout, copy_function=shutil.copyfile)
    try:
        Images(folder / "checkout", folder / "known", prefix=prefix).build(name, _tell, fresh=True)
    except CorallineError as error:
        _tell({"event": "failed", "message": error.message, "hint": error.hint})
        return error.code
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _tell(event: dict[str, Any]) -> None:
    print(json.dumps(event), flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
