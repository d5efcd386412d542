"""Builds the tables of where things come from: the data, and for each artifact its key, image, host and inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterable, List

from stages.predictions import LISTED
from stages.report.hosts import processor
from stages.report.table import NONE, Cell, Table, measured, word

if TYPE_CHECKING:
    from stages.report.gather import Artifact, Gathered

SHORT = 12  # digits of a digest that are shown; the page has all of them as a title and in results.json


def data(dataset: Artifact) -> Table:
    """One row for each class: images in each split, and how full they are; of many classes their sums."""
    told = dataset.read_json("dataset.json")
    splits = sorted(told["splits"], key=lambda split: (split != "train", split))
    if len(told["classes"]) > LISTED:
        return _summed(told, splits)
    pixels: Dict[str, Any] = dataset.record.get("facts", {}).get("pixels", {})
    titles = [*splits, "mean non-zero pixels", "from images", "non-zero values, 5 / 50 / 95 %"]
    table = Table("data", "Data", ["class", *titles], words=1)
    for name in told["classes"]:
        counts = [told["splits"][split][name] for split in splits]
        facts = pixels.get(name, {})
        table.rows.append([word(name), *(Cell(f"{n:,}", n) for n in counts), *_pixels(dataset, name, facts)])
    return table


def _summed(told: Dict[str, Any], splits: List[str]) -> Table:
    """Give the images of all classes together, and of those that have the fewest and the most."""
    table = Table("data", "Data", ["class", *splits], words=1)
    for name, of in (("all %d" % len(told["classes"]), sum), ("the smallest", min), ("the largest", max)):
        counts = [int(of(told["splits"][split].values())) for split in splits]
        table.rows.append([word(name), *(Cell(f"{n:,}", n) for n in counts)])
    return table


def _pixels(dataset: Artifact, name: str, facts: Dict[str, Any]) -> Iterable[Cell]:
    quantiles = facts.get("value_quantiles", {})
    text = " / ".join(str(quantiles[percent]) for percent in ("5", "50", "95")) if quantiles else NONE
    return (
        measured(dataset, "occupied_pixels_%s" % name, "{:.0f}"),
        Cell(str(facts.get("images", NONE)), facts.get("images", -1)),
        Cell(text, quantiles.get("50", -1)),
    )


def artifacts(gathered: Gathered) -> Table:
    """One row for each artifact that the report was made from."""
    columns = ["artifact", "step", "content", "made by", "processor", "threads", "inputs"]
    table = Table("artifacts", "Artifacts", columns, words=7)
    labels = {artifact.record["digest"]: artifact.label for artifact in gathered.artifacts}
    for artifact in gathered.artifacts:
        record = artifact.record
        table.rows.append(
            [
                _digest(record["key"]),
                word(record["label"]),
                _digest(record["digest"], "content"),
                _engine(record["engine"]),
                word(processor(record["host"])),
                Cell(str(record["threads"]), record["threads"]),
                word(_inputs(record["key_parts"]["inputs"], labels)),
            ]
        )
    return table


def numbers(rows: Iterable[Dict[str, Any]]) -> Table:
    """Every number of every record."""
    table = Table(
        "numbers",
        "All numbers",
        ["model", "recipe", "runtime", "metric", "value", "unit", "n", "95 % interval", "artifact"],
        words=4,
    )
    for row in rows:
        interval = "" if row["interval"] is None else "[%.6g, %.6g]" % tuple(row["interval"])
        table.rows.append(
            [
                *(word(row[name]) for name in ("model", "recipe", "runtime", "metric")),
                Cell(_value(row["value"]), row["value"], "number", title=repr(row["value"])),
                word(row["unit"]),
                Cell("" if row["n"] is None else "{:,}".format(row["n"]), -1 if row["n"] is None else row["n"]),
                Cell(interval, row["interval"][0] if row["interval"] else -1.0),
                _digest(row["artifact"]),
            ]
        )
    return table


def _value(value: float) -> str:
    """Write whole numbers in full, others with six digits."""
    return f"{int(value):,}" if float(value).is_integer() else "%.6g" % value


def _digest(text: str, kind: str = "key") -> Cell:
    """Return a digest, cut; a key leads to its artifact."""
    return Cell(text[:SHORT], text, kind, title=text)


def _engine(engine: Dict[str, str]) -> Cell:
    """Name the engine and the image by digest, or what a local environment was made from."""
    others = ["%s %s" % (name, _shortened(value)) for name, value in sorted(engine.items()) if name != "name"]
    full = ["%s %s" % (name, value) for name, value in sorted(engine.items()) if name != "name"]
    return Cell(engine["name"], engine["name"], detail=", ".join(others), title=", ".join(full))


def _shortened(value: Any) -> str:
    """Cut a digest; leave a version as it is."""
    text = str(value)
    algorithm, colon, digits = text.rpartition(":")
    return algorithm + colon + digits[:SHORT] if len(digits) >= 32 else text


def _inputs(inputs: Dict[str, str], labels: Dict[str, str]) -> str:
    """Name what an artifact was made from; data that is no artifact is named by its digest."""
    named = ["%s: %s" % (name, labels.get(digest, str(digest)[:SHORT])) for name, digest in sorted(inputs.items())]
    return ", ".join(named)
