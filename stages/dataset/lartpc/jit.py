"""Compile the event kernel with numba, caching machine code only where that is safe and possible.

numba's own cache notices a change of the file a function is written in, but not a change of a
function that it calls in another file. So the cache is used only in a folder that the caller names
(NUMBA_CACHE_DIR), below a name derived from the text of every module of this package. A folder that
cannot be written to costs one compilation (about 20 s), never a failure.
"""

from __future__ import annotations

import hashlib
import os
from importlib import import_module
from pathlib import Path
from typing import Any, Callable, TypeVar

# Loaded by name: numba has no type information, with or without it installed.
numba: Any = import_module("numba")

_F = TypeVar("_F", bound=Callable[..., Any])


def source_digest(folder: Path) -> str:
    """Return a short digest of every Python source file in `folder`."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        text = path.read_bytes()
        digest.update(f"{path.name} {len(text)}\n".encode())
        digest.update(text)
    return digest.hexdigest()[:16]


def _cache_folder() -> str:
    """Return the folder for machine code, or an empty string when nothing may be cached."""
    named = os.environ.get("NUMBA_CACHE_DIR", "")
    if not named:
        return ""
    folder = Path(named) / f"lartpc-{source_digest(Path(__file__).parent)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return ""
    return os.fspath(folder) if os.access(folder, os.W_OK) else ""


_CACHE_FOLDER = _cache_folder()


def jit(function: _F) -> _F:
    """Compile `function` on its first call; no fastmath and no threads, so results are repeatable."""
    if not _CACHE_FOLDER:
        compiled: _F = numba.njit(error_model="numpy")(function)
        return compiled
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = _CACHE_FOLDER
    try:
        cached: _F = numba.njit(cache=True, error_model="numpy")(function)
    except RuntimeError:  # "cannot cache function": numba found no usable place after all
        cached = numba.njit(error_model="numpy")(function)
    finally:
        numba.config.CACHE_DIR = before
    return cached
