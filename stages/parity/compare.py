"""Two runtimes' outputs for the same images: how far they agree, and every image where they do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

import numpy as np

from stages.contract import number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.images import Row


@dataclass(frozen=True)
class Seen:
    """What a runtime said of each image: its class, and the output's values where they are known."""

    runtime: str
    predictions: NDArray[np.int64]
    values: Optional[NDArray[np.int64]]

    @classmethod
    def of(cls, runtime: str, values: NDArray[Any]) -> Seen:
        """Take output values, [image, value]; of equal largest values the first one is the class."""
        return cls(runtime, values.argmax(axis=1).astype(np.int64), values.astype(np.int64))


def pair(one: Seen, reference: Seen, rows: Sequence[Row]) -> Dict[str, Any]:
    """Compare; `outputs` and `largest_steps` are null where one side's bytes are not known."""
    same_class = one.predictions == reference.predictions
    steps = _steps(one, reference)
    differs = ~same_class if steps is None else (steps > 0) | ~same_class
    return {
        "runtime": one.runtime,
        "reference": reference.runtime,
        "n": len(rows),
        "predictions": float(same_class.mean()),
        "outputs": None if steps is None else float((steps == 0).mean()),
        "largest_steps": None if steps is None else int(steps.max()),
        "disagreements": [_disagreement(rows[image], one, reference, image) for image in np.flatnonzero(differs)],
        "first_divergence": None,
        "note": None,
    }


def numbers(pairs: Sequence[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Give the numbers of the record: shares of images, by runtime."""
    return [
        number("equal_%s" % what, told[what], "1", n=told["n"], runtime=told["runtime"])
        for told in pairs
        for what in ("predictions", "outputs")
        if told[what] is not None
    ]


def _steps(one: Seen, reference: Seen) -> Optional[NDArray[np.int64]]:
    """Find the largest difference of each image."""
    if one.values is None or reference.values is None:
        return None
    found: NDArray[np.int64] = np.abs(one.values - reference.values).max(axis=1)
    return found


def _disagreement(row: Row, one: Seen, reference: Seen, image: int) -> Dict[str, Any]:
    return {
        "image": row.path,
        "label": row.label,
        "predictions": [int(one.predictions[image]), int(reference.predictions[image])],
        "outputs": [None if side.values is None else side.values[image].tolist() for side in (one, reference)],
    }
