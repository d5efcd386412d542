"""The digest of the host side's code: a step on its way to a worker is understood by the same code only."""

from __future__ import annotations

import functools
import hashlib
import os

from coralline.catalogue import PROJECT
from coralline.key import canonical

SPEC = "stages/spec.py"  # specs travel with their steps; all other code of a stage is in its step's key


@functools.cache
def digest() -> str:
    """Return it as it is when this process first asks: later changes are not what it runs."""
    files = sorted([PROJECT / SPEC, *(PROJECT / "coralline").rglob("*.py")])
    told = [(os.fspath(file.relative_to(PROJECT)), hashlib.sha256(file.read_bytes()).hexdigest()) for file in files]
    return hashlib.sha256(canonical(told)).hexdigest()
