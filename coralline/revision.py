"""Which commit of the project is at work, and whether the tree differs from it: recorded, but in no key."""

from __future__ import annotations

import functools
import os
import re
import subprocess
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_S = 20.0


class Revision(TypedDict):
    """A commit, and whether files were changed, added or removed since."""

    commit: str
    dirty: bool


@functools.cache
def of(project: Path) -> Revision | None:
    """Return the revision of a project, or None where it has no repository of its own, or git is not here.

    Asks once for each process: what was checked out when the first step began holds for the whole run.
    """
    if not (project / ".git").exists():  # a copy inside somebody else's repository is not that repository's code
        return None
    command = ["git", "-C", os.fspath(project), "status", "--porcelain=v2", "--branch", "--untracked-files=normal"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}  # a hook names its own
    quiet = {**own, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        told = subprocess.run(command, capture_output=True, env=quiet, timeout=LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = told.stdout.decode(errors="replace").splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), "")
    if told.returncode != 0 or not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit):
        return None
    return {"commit": commit, "dirty": any(not line.startswith("#") for line in lines)}
