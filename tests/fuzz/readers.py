"""What is fed with damaged files, the files to damage, and the only ways in which a reader may refuse them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

from stages.contract import InputError
from stages.edgetpu.compiled.digest import masked_digest
from stages.edgetpu.compiled.inspection import inspect
from stages.edgetpu.estimate import estimate
from stages.edgetpu.fix import fix
from stages.edgetpu.gate import check
from stages.edgetpu.log import document as log
from stages.tflite.flat import MalformedFile

FIXTURES = Path(__file__).parent.parent / "fixtures" / "edgetpu"
SHARED = Path(__file__).parents[3] / "shared" / "edgetpu"
LARGEST_SEED = 1 << 20  # larger ones only take longer: their structure is the same

Reader = Callable[[bytes], bool]


def models(content: bytes) -> bool:
    """Judge, change and time a model; say whether it could be judged."""
    try:
        json.dumps(check(content))
    except (MalformedFile, InputError):
        return False
    with contextlib.suppress(MalformedFile, InputError):
        fix(content, softmax_on_host=True)
    with contextlib.suppress(MalformedFile, InputError):
        json.dumps(estimate(content))
    return True


def compiled(content: bytes) -> bool:
    """Read a compiled file; say whether it could be read."""
    try:
        json.dumps(inspect(content))
        masked_digest(content)
    except (MalformedFile, InputError):
        return False
    return True


def logs(content: bytes) -> bool:
    """Read a compiler log; say whether it could be read."""
    try:
        json.dumps(log.document(content))
    except InputError:
        return False
    return True


READERS: dict[str, Reader] = {"models": models, "compiled": compiled, "logs": logs}


def seeds(kind: str) -> list[bytes]:
    """Read the files to damage: our fixtures, and the real ones where they are."""
    pattern = "*.txt" if kind == "logs" else "*.tflite"
    paths = [path for folder in (FIXTURES, SHARED) for path in sorted(folder.rglob(pattern))]
    wanted = [path for path in paths if path.stem.endswith("_edgetpu") == (kind == "compiled") or kind == "logs"]
    return [path.read_bytes() for path in wanted if path.stat().st_size <= LARGEST_SEED]
