"""The stages' code as it was when a step was decided: steps run a copy, and an edit meanwhile changes nothing in them.

A step's key holds the digests of its code, and a step may take hours and import a module late. Were the project's own
files what it runs, its artifact could be of code that its key does not name.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from coralline.errors import EngineError, ProfileError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT_S = 30 * 86_400.0  # since a step was last started from a copy; no step takes so long
LEFT_OUT = "__pycache__"


class Frozen:
    """Copies of `project`'s stages, named by what they hold, below `home`. Safe to use from several threads."""

    def __init__(self, project: Path, home: Path) -> None:
        self._project = project
        self._home = home / "code"
        self._folder: Path | None = None
        self._digests: dict[str, str] = {}
        self._lock = threading.Lock()

    def holding(self, code: Mapping[str, str]) -> Path:
        """Return a folder that holds `stages`, in which the files of a key's `code` have the digests named there.

        Raises:
            ProfileError: a file is another one by now.
            EngineError: the copy cannot be written.
        """
        with self._lock:
            if self._folder is None or self._other(code) is not None:
                self._folder, self._digests = self._copied()
            other = self._other(code)
            if other is not None:
                raise ProfileError(
                    f"{other} was changed while the run was planned", hint="run the same command again: nothing is lost"
                )
            with contextlib.suppress(OSError):  # only says that it is in use
                os.utime(self._folder)
            return self._folder

    def _other(self, code: Mapping[str, str]) -> str | None:
        """Name a file that the copy has otherwise, or not at all."""
        return next((path for path, digest in code.items() if self._digests.get(path) != digest), None)

    def _copied(self) -> tuple[Path, dict[str, str]]:
        """Copy the code as it is now, unless there is a whole copy of the same."""
        contents = _read(self._project)
        digests = _digests(contents)
        listed = "".join(f"{path}\n{digest}\n" for path, digest in digests.items())
        name = hashlib.sha256(listed.encode()).hexdigest()[:32]
        try:
            for number in itertools.count():  # a damaged copy may be in use: it is left alone, and another one made
                folder = self._home / f"{name}.{number}"
                if not folder.is_dir():
                    self._write(contents, folder)
                if _digests(_read(folder)) == digests:
                    return folder, digests
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise  # told by whoever knows the words for it
            raise EngineError(
                f"the stages' code cannot be copied to {self._home}: {error.strerror}", hint="make that folder writable"
            ) from error
        raise AssertionError(name)

    def _write(self, contents: Mapping[str, bytes], folder: Path) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        self._forget_old()
        with tempfile.TemporaryDirectory(prefix="new.", dir=self._home) as beside:
            copy = Path(beside, "copy")
            (copy / "stages").mkdir(parents=True)
            for path, content in contents.items():
                (copy / path).parent.mkdir(parents=True, exist_ok=True)
                (copy / path).write_bytes(content)
            try:
                copy.rename(folder)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # another process has just made the same
                    raise

    def _forget_old(self) -> None:
        for one in self._home.iterdir():
            with contextlib.suppress(OSError):  # another process forgets too
                if time.time() - one.stat().st_mtime > KEPT_S:
                    shutil.rmtree(one, ignore_errors=True)


def _read(root: Path) -> dict[str, bytes]:
    """Return all files of the stages by their path below `root`, sorted."""
    found: dict[str, bytes] = {}
    for folder, _, names in os.walk(root / "stages"):
        for name in names:
            path = Path(folder, name)
            if path.parent.name != LEFT_OUT and path.is_file():
                with contextlib.suppress(OSError):  # an editor's own file may be gone: what is needed is missed later
                    found[os.path.relpath(path, root)] = path.read_bytes()
    return dict(sorted(found.items()))


def _digests(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
