"""Ask what is known of a foreign TFLite file or compiler log; the reading is done by a process of its own, with limits.

The readers are a stage's code, which the host side never imports, and the files are untrusted: so a crash or an
endless loop of theirs would end here as one error.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from coralline.catalogue import PROJECT
from coralline.errors import ProfileError

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_S = 60.0


def ask(question: str, file: Path, *words: str) -> dict[str, Any]:
    """Return the answer to `check`, `inspect`, `estimate`, `parse-log` or `digest` of a file, as one document.

    Raises:
        ProfileError: the file is missing, damaged or of another kind.
    """
    file = file.expanduser()
    if not file.is_file():
        raise ProfileError(f"there is no file {str(file)!r}", hint="give the path of a file")
    command = [sys.executable, "-m", "stages.edgetpu", question, str(file.resolve()), *words]
    try:
        told = subprocess.run(command, cwd=PROJECT, capture_output=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ProfileError(f"{file.name} cannot be read within {LIMIT_S:.0f} s", hint="it is damaged") from error
    if told.returncode == 0:
        answer: dict[str, Any] = json.loads(told.stdout)
        return answer
    if told.returncode == ProfileError.code and told.stdout.startswith(b"{"):
        problem = json.loads(told.stdout)
        raise ProfileError(problem["message"], hint=problem["remedy"])
    raise RuntimeError(f"reading {file} failed: {told.stderr.decode(errors='replace')[-2000:]}")
