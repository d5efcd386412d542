"""The files that an evolution leaves: no time and no host in them, so equal evolutions are equal bytes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Sequence, Tuple

import numpy as np

from stages.accuracy import Accuracy, evaluate
from stages.contract import write_json
from stages.evolve import figures
from stages.evolve.search import HISTORY
from stages.lut.file import write_network
from stages.section import Section, SectionFigure, SectionTable

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.evolve.baselines import Baseline
    from stages.evolve.search import State
    from stages.evolve.settings import Settings
    from stages.lut.network import Network
    from stages.waveforms import Waveforms

BINS = 8  # of the scanned quantity


@dataclass(frozen=True)
class Row:
    """A classifier on the test split."""

    name: str
    size: str
    accuracy: Accuracy


@dataclass(frozen=True)
class Evolved:
    """What came of an evolution: the network, what it says of the test split, and the others beside it."""

    settings: Settings
    network: Network
    predicted: NDArray[np.int64]
    state: State
    validation: float
    rows: List[Row]

    @property
    def accuracy(self) -> Accuracy:
        """How often the network is right on the test split."""
        return self.rows[0].accuracy


def compare(
    network: Network, predicted: NDArray[np.int64], baselines: Sequence[Baseline], data: Waveforms
) -> List[Row]:
    """Score the network and the baselines on the test split, the network first."""
    labels = data.test.labels.tolist()
    told = "%d tables of %d inputs" % (sum(network.layers), network.fan_in)
    found = [Row("lookup tables", told, evaluate(labels, predicted.tolist(), data.classes))]
    for one in baselines:
        scored = evaluate(labels, one.predicted.tolist(), data.classes)
        found.append(Row(one.name, "%d float weights" % one.weights, scored))
    commonest = np.full(len(labels), int(np.bincount(data.train.labels).argmax()))
    found.append(Row("the commoner class", "nothing", evaluate(labels, commonest.tolist(), data.classes)))
    return found


def write(out: Path, evolved: Evolved, data: Waveforms) -> None:
    """Write every output but the record."""
    write_network(out, evolved.network)
    write_json(out / "metrics.json", _metrics(evolved))
    _table(out / "history.csv", HISTORY, ([entry[name] for name in HISTORY] for entry in evolved.state.history))
    lines = zip(
        range(len(data.test)), data.test.labels.tolist(), evolved.predicted.tolist(), data.test.scanned.tolist()
    )
    _table(out / "predictions.csv", ("waveform", "label", "predicted", "scanned"), lines)
    figures.draw_history(out / "figures" / "history.svg", evolved.state.history)
    figures.draw_scan(out / "figures" / "scan.svg", data, *_scanned(evolved.predicted, data))
    _section(evolved, data).write(out)


def _metrics(evolved: Evolved) -> Dict[str, Any]:
    network = evolved.network
    scores = evolved.accuracy.document()
    return {
        **{name: value for name, value in scores.items() if name != "images"},
        "waveforms": scores["images"],
        "schema": "coralline.evolve",
        "version": 1,
        "validation_accuracy": evolved.validation,
        "network": {
            "inputs": network.inputs,
            "layers": list(network.layers),
            "fan_in": network.fan_in,
            "asked_layers": list(evolved.settings.layers),
        },
        "start": evolved.settings.start,
        "evaluations": evolved.state.generation * evolved.settings.population,
        "others": [_other(row) for row in evolved.rows[1:]],
    }


def _other(row: Row) -> Dict[str, Any]:
    scores = {metric: row.accuracy.values[metric] for metric in ("accuracy", "balanced_accuracy")}
    return {"name": row.name, "size": row.size, **scores, "interval": list(row.accuracy.intervals["accuracy"])}


def _scanned(predicted: NDArray[np.int64], data: Waveforms) -> Tuple[List[float], List[float], List[int]]:
    """Share of the second class that is found, in bins of the scanned quantity: edges, shares, counts.

    The share of a bin without any is not a number, and drawn as a gap: none were missed there.
    """
    sought = data.test.labels == 1
    values = data.test.scanned[sought] / data.scan.parts
    edges = np.linspace(float(values.min()), float(values.max()), BINS + 1)
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, BINS - 1)
    size = np.bincount(place, minlength=BINS)
    right = np.bincount(place, weights=predicted[sought] == 1, minlength=BINS)
    share = np.divide(right, size, out=np.full(BINS, np.nan), where=size > 0)
    return edges.tolist(), share.tolist(), size.tolist()


def _section(evolved: Evolved, data: Waveforms) -> Section:
    network, settings = evolved.network, evolved.settings
    asked = ", ".join(map(str, settings.layers))
    kinds, seen = " or ".join(data.classes), (data.classes[1], data.scan.quantity)
    start = "tables trained by gradient" if settings.start == "gradient" else "wires drawn at random"
    return Section(
        title="A network of lookup tables",
        text=[
            "%d comparators and %d tables of %d inputs in %d layers answer whether a waveform is %s;"
            " %s tables were asked for, those without a way to the answer are left out."
            % (network.inputs, sum(network.layers), network.fan_in, len(network.layers), kinds, asked),
            "It was found from %s by a genetic algorithm in %s evaluations. The share right is %.4f on the"
            " validation part, which chose it, and %.4f on the test split, which nothing was chosen on."
            % (start, f"{evolved.state.generation * settings.population:,}", evolved.validation,
               evolved.accuracy.values["accuracy"]),
        ],
        tables=[
            SectionTable(
                "On the test split",
                ["classifier", "made of", "accuracy", "from", "to", *("recall %s" % name for name in data.classes)],
                [
                    [row.name, row.size, row.accuracy.values["accuracy"], *row.accuracy.intervals["accuracy"],
                     *(row.accuracy.values["recall_%s" % name] for name in data.classes)]
                    for row in evolved.rows
                ],
                note="Intervals of 95 %% from resampling the %d waveforms. The others see every sample as a number."
                % len(data.test),
            )
        ],
        figures=[
            SectionFigure("figures/history.svg", "The search: share of right answers against networks evaluated."),
            SectionFigure("figures/scan.svg", "How many %s are found, against the %s." % seen),
        ],
    )  # fmt: skip


def _table(path: Path, header: Sequence[str], lines: Any) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)
