"""What the networks that find pixels are worth: IoU first, each with its interval over images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, Optional

import numpy as np

from stages.report.gather import KERAS
from stages.report.table import NOT_APPLICABLE, Cell, Table, measured
from stages.report.tables import FRACTION, axes, count
from stages.tasks.pixels import FIELDS, Counts, iou_difference

if TYPE_CHECKING:
    from stages.report.gather import Artifact, Gathered

SCHEMA = "coralline.segmentation"


def segmentation(gathered: Gathered) -> Table:
    """One row for each benchmark of a network that finds pixels."""
    found = list(segmenting(gathered))
    other, sought = found[0].read_json("accuracy.json")["classes"] if found else ("", "")
    metrics = ("iou", "recall_%s" % sought, "recall_%s" % other, "precision_%s" % sought, "pixel_accuracy")
    titles = ["IoU of %s" % sought, *(name.replace("_", " ") for name in metrics[1:])]
    columns = ["model", "recipe", "runtime", *titles, "images", "IoU less that of Keras"]
    table = Table("segmentation", "Pixels found", columns, words=3)
    for artifact in found:
        cells = [measured(artifact, name, FRACTION) for name in metrics]
        table.rows.append([*axes(artifact), *cells, count(artifact, "iou"), _against_keras(gathered, artifact)])
    return table


def segmenting(gathered: Gathered) -> Iterator[Artifact]:
    """All benchmarks of networks that find pixels."""
    return (one for one in gathered.of("benchmark") if one.read_json("accuracy.json").get("schema") == SCHEMA)


def _against_keras(gathered: Gathered, artifact: Artifact) -> Cell:
    keras = gathered.find("benchmark", model=artifact.axis("model"), recipe=KERAS)
    counted = _counts(keras), _counts(artifact)
    if keras is artifact or counted[0] is None or counted[1] is None:
        return NOT_APPLICABLE
    value, (low, high) = iou_difference(counted[0], counted[1])
    how = "on the same test images; the interval is of the difference: %s and %s" % (
        keras.label if keras else "",
        artifact.label,
    )
    return Cell("%+.4f" % (round(value, 4) + 0.0), value, "derived", detail="[%+.4f, %+.4f]" % (low, high), title=how)


def _counts(artifact: Optional[Artifact]) -> Optional[Counts]:
    """Read the pixels of each test image."""
    if artifact is None:
        return None
    rows = artifact.read_csv("predictions.csv")
    return Counts(np.array([[int(row[name]) for name in FIELDS] for row in rows], np.int64))
