"""What the stages, sources, models and recipes declare, found by name: the host's only view of the image side."""

from __future__ import annotations

import functools
import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from stages.models import Model, load_models

if TYPE_CHECKING:
    from stages.convert.spec import Recipe
    from stages.dataset.sources import Source
    from stages.spec import Spec

PROJECT = Path(__file__).resolve().parent.parent
ARTIFACTS_VARIABLE = "CORALLINE_ARTIFACTS"


def artifacts() -> Path:
    """Return where the store is: what the user's environment says, or else the project's own folder."""
    told = os.environ.get(ARTIFACTS_VARIABLE)
    return Path(told).resolve() if told else PROJECT / "artifacts"


@functools.cache
def specs() -> dict[str, Spec]:
    """All stages by name, each after the stages whose artifacts it reads."""
    found = sorted(path.parent.name for path in (PROJECT / "stages").glob("*/spec.py"))
    by_name = {name: importlib.import_module(f"stages.{name}.spec").SPEC for name in found}
    return {name: by_name[name] for name in _in_order(by_name)}


@functools.cache
def models() -> dict[str, Model]:
    """All models by name."""
    return load_models()


@functools.cache
def sources() -> dict[str, Source]:
    """All sources of data by name."""
    found: dict[str, Source] = importlib.import_module("stages.dataset.spec").SOURCES
    return found


@functools.cache
def recipes() -> dict[str, Recipe]:
    """All recipes by name, in the order in which they are declared."""
    found: dict[str, Recipe] = importlib.import_module("stages.convert.spec").RECIPES
    return found


def _in_order(by_name: dict[str, Spec]) -> list[str]:
    from graphlib import TopologicalSorter

    reported = {name for name, spec in by_name.items() if spec.reported}
    needs: dict[str, set[str]] = {name: set() for name in by_name}
    for name, spec in by_name.items():
        for declared in (declared for variant in spec.variants for declared in variant.inputs.values()):
            needs[name] |= {declared.stage} if declared.stage else reported if declared.gather else set()
    # A stage may go on from what another step of it made: its variants are in that order.
    return list(TopologicalSorter({name: of - {name} for name, of in needs.items()}).static_order())
