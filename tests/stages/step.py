"""Steps for tests: the parameters of a stage's spec with some of them set, as an engine would hand them on."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from stages.contract import Step
from stages.dataset.spec import SPEC

if TYPE_CHECKING:
    from pathlib import Path


def dataset_step(folder: Path, *, source: str, data: Path | None = None, threads: int = 1, **values: Any) -> Step:
    """Return a step of the dataset stage with an empty `out`; what it says is in `events`."""
    parameters = {
        parameter.name: list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
        for parameter in SPEC.parameters
        if source in parameter.when.get("source", (source,))
    }
    out = folder / "out"
    out.mkdir(parents=True)
    return Step(
        stage="dataset",
        label="dataset",
        parameters={**parameters, "source": source, **values},
        threads=threads,
        inputs={} if data is None else {"data": data},
        out=out,
        partial=None,
        events=io.StringIO(),
    )
