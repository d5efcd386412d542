"""Which files are a step's code, with their digests: what its `__main__.py` imports by name, and what its spec adds.

Reads source, runs none of it. A changed comment is a changed file: bytes decide.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coralline import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from stages.spec import Spec, Value

VERSION = 2  # of the memory
FRESH_NS = 2_000_000_000  # a file this young may change again within one tick of a coarse file clock


@dataclass(slots=True)
class Code:
    """Source files below `project`; `memory` is a file that saves reading unchanged sources again."""

    project: Path
    memory: Path
    _seen: dict[str, tuple[int, int, str, list[str]]] | None = None
    _found: dict[str, list[str]] = field(default_factory=dict)
    _there: dict[str, bool] = field(default_factory=dict)
    _changed: bool = False

    def of_step(self, spec: Spec, parameters: Mapping[str, Value]) -> dict[str, str]:
        """Digests of all files of a step's code, by path below the project."""
        words = {name: str(value).replace("-", "_") for name, value in parameters.items()}
        model = catalogue.models().get(str(parameters.get("model")))
        words["task"] = model.task if model else ""
        roots = [f"stages/{spec.name}/__main__.py", *(pattern.format(**words) for pattern in spec.code)]
        waiting, found = [root for root in roots if (self.project / root).is_file()], {}
        while waiting:
            path = waiting.pop()
            if path not in found:
                found[path], imports = self._read(path)
                waiting.extend(imports)
        return dict(sorted((found | self._data_beside(found)).items()))

    def remember(self) -> None:
        """Write what was read, for the next start."""
        if not self._changed:
            return
        with contextlib.suppress(OSError):  # only a memory
            self.memory.parent.mkdir(parents=True, exist_ok=True)
            beside = self.memory.with_name(f"{self.memory.name}.{os.getpid()}")
            beside.write_text(json.dumps({"version": VERSION, "files": self._seen}), encoding="utf-8")
            beside.replace(self.memory)
        self._changed = False

    def _data_beside(self, found: Mapping[str, str]) -> dict[str, str]:
        """Files that are not Python, in the folders of the code: tables and templates."""
        folders = {path.rpartition("/")[0] for path in found} - {"stages"}
        data = [
            f"{folder}/{entry.name}"
            for folder in folders
            for entry in os.scandir(self.project / folder)
            if entry.is_file() and not entry.name.endswith((".py", ".pyc"))
        ]
        return {path: self._read(path)[0] for path in data}

    def _read(self, path: str) -> tuple[str, list[str]]:
        """Digest of a file and the project's files that it imports.

        Remembered is what it imports by name: which files these are may change while it does not, as when a module
        becomes a package.
        """
        if self._seen is None:
            self._seen = self._recall()
        status = (self.project / path).stat()
        known = self._seen.get(path)
        if known is not None and known[:2] == (status.st_mtime_ns + status.st_ctime_ns, status.st_size):
            return known[2], self._resolved(path, known[3])
        content = (self.project / path).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        names = sorted(set(_imports(path, content))) if path.endswith(".py") else []
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > FRESH_NS:
            self._seen[path] = (status.st_mtime_ns + status.st_ctime_ns, status.st_size, digest, names)
            self._changed = True
        return digest, self._resolved(path, names)

    def _resolved(self, path: str, names: list[str]) -> list[str]:
        """Return the files that a file's imports run, looked up once by this process."""
        if path not in self._found:
            self._found[path] = [file for name in names for file in self._files(name)]
        return self._found[path]

    def _recall(self) -> dict[str, tuple[int, int, str, list[str]]]:
        try:
            told = json.loads(self.memory.read_text(encoding="utf-8"))
            if told["version"] != VERSION:
                return {}
            return {path: (entry[0], entry[1], entry[2], entry[3]) for path, entry in told["files"].items()}
        except (OSError, ValueError, LookupError, AttributeError, TypeError):
            return {}  # only a memory: without it everything is read again

    def _files(self, dotted: str) -> Iterator[str]:
        """Files that importing `dotted` runs: the module or package itself and the packages above it."""
        parts = dotted.split(".")
        if parts[0] != "stages":
            return
        for length in range(1, len(parts) + 1):
            stem = "/".join(parts[:length])
            for path in (f"{stem}/__init__.py", f"{stem}.py"):
                if path not in self._there:
                    self._there[path] = os.path.isfile(f"{self.project}/{path}")  # noqa: PTH113 - a third of the time
                if self._there[path]:
                    yield path


def _imports(path: str, content: bytes) -> Iterator[str]:
    """Yield the dotted names of the project that a source imports; some may be no module but a thing inside one."""
    package = path.rpartition("/")[0].replace("/", ".")
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "stages")
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            if module.partition(".")[0] == "stages":
                yield from (f"{module}.{alias.name}" for alias in node.names)
