"""This process goes on in the environment of the farm, made on demand: a host without a farm never needs it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from coralline.catalogue import PROJECT
from coralline.engines import HOME
from coralline.environments import Environment

if TYPE_CHECKING:
    from collections.abc import Callable


def environment() -> Environment:
    """Return the environment that holds distributed beside the host's own packages."""
    return Environment("farm", PROJECT / "requirements" / "farm.lock", HOME / "environments")


def enter(say: Callable[[str], None]) -> None:
    """Start this command again in that environment, in this process; return only when this is it already.

    Raises:
        EngineError, ImageError: as `Environment.ensure` does.
    """
    wanted = environment()
    if os.path.realpath(sys.prefix) == os.path.realpath(wanted.path):
        return
    wanted.ensure(say)
    sys.stdout.flush()
    os.execv(wanted.python, [str(wanted.python), *sys.orig_argv[1:]])  # noqa: S606 - our own interpreter, our own words
