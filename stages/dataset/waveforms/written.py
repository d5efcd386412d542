"""Writes a data set of waveforms, whatever they are of, as stages/waveforms.py reads it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Dict, Sequence

from stages.arrays import write_arrays
from stages.contract import number, write_json
from stages.waveforms import ARRAYS, NAME, Scan, Split

if TYPE_CHECKING:
    from stages.contract import Step


def write(
    step: Step, about: str, classes: Sequence[str], splits: Dict[str, Split], *, bits: int, scan: Scan, **further: Any
) -> None:
    """Write splits by name; `about` is the sentence that the report says of them, `further` goes into dataset.json."""
    arrays = {"%s_%s" % (name, kind): getattr(split, kind) for name, split in splits.items() for kind in ARRAYS}
    write_arrays(step.out / NAME, arrays)
    counts = {name: len(split) for name, split in splits.items()}
    of_class = {
        name: {told: int((split.labels == label).sum()) for label, told in enumerate(classes)}
        for name, split in splits.items()
    }
    document = {
        "schema": "coralline.dataset",
        "version": 1,
        "source": step.parameters["source"],
        "about": about,
        "classes": list(classes),
        "size": None,  # there are no images
        "splits": of_class,
        "skipped": [],
        "arrays": NAME,
        "samples": next(iter(splits.values())).codes.shape[1],
        "bits": bits,
        "scan": dataclasses.asdict(scan),
        **further,
    }
    write_json(step.out / "dataset.json", document)
    step.record([number("waveforms", sum(counts.values()), "1")], {"splits": counts})
