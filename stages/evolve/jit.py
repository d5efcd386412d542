"""Compiles loops over words of bits, and over floats whose result must be the same on every machine.

Without fastmath and threads the operations and their order are those of the source, and nothing is fused: what adds,
multiplies, divides and takes square roots gives the same bits on every processor (IEEE 754).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Callable, TypeVar

# Loaded by name: numba has no type information, with or without it installed.
numba: Any = import_module("numba")

_F = TypeVar("_F", bound=Callable[..., Any])


def jit(function: _F) -> _F:
    """Compile `function` on its first call."""
    compiled: _F = numba.njit(error_model="numpy")(function)
    return compiled
