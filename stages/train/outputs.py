"""The files that a training leaves: no time and no host in them, so equal trainings are equal bytes."""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING, Any, Dict, Iterable, Sequence

from stages.contract import write_json
from stages.network import SCHEMA, VERSION
from stages.train.figure import draw_confusion

if TYPE_CHECKING:
    from pathlib import Path

    from stages.tasks import Test
    from stages.train.data import Data
    from stages.train.fit import Trained
    from stages.train.settings import Settings

WATCHED = "accuracy"


def describe(settings: Settings, classes: Sequence[str]) -> Dict[str, Any]:
    """Give what `stages.network.build_from` needs to build the network."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "model": settings.model,
        "input_size": settings.input_size,
        "classes": list(classes),
        "batchnorm_momentum": settings.batchnorm_momentum,
        "input_values": settings.input_values,
    }


def write_model(out: Path, settings: Settings, data: Data, trained: Trained) -> None:
    """Write `weights.h5` and `model.json`."""
    trained.model.save_weights(os.fspath(out / "weights.h5"), save_format="h5")
    document = {
        **describe(settings, data.task.classes),
        "best_epoch": trained.schedule.best_epoch,
        "validation_images": [row.path for row in data.validation],
        "weights": int(trained.model.count_params()),
    }
    write_json(out / "model.json", document)


def write_history(out: Path, trained: Trained, watched: str = WATCHED) -> None:
    """Write `history.csv`: one line for each epoch; just the header when none was trained."""
    header = ("epoch", "loss", watched, "val_loss", "val_%s" % watched, "learning_rate")
    lines = ([entry[name] for name in header] for entry in trained.history)
    write_table(out / "history.csv", header, lines)


def write_test(out: Path, test: Test, title: str, training: Dict[str, Any]) -> None:
    """Write metrics, report and the confusion matrix of the test split."""
    write_json(out / "metrics.json", {"split": "test", **test.as_json(), **training})
    (out / "classification_report.txt").write_text(test.report(), encoding="utf-8")
    draw_confusion(out / "confusion_matrix.png", test.confusion, test.classes, title)


def write_table(path: Path, header: Sequence[str], lines: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file that is the same bytes for the same values."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)
