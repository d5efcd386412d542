"""Reads the artifacts that a report is about, and what could not be made: plain values, always in one order."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Sequence, Tuple

from stages.contract import InputError
from stages.report.hosts import hosts, processor
from stages.section import NAME as SECTION

if TYPE_CHECKING:
    from pathlib import Path

    from stages.contract import Step

EXTERNALS = ("data", "meter")  # inputs that are the user's own and no artifacts
STAGES = ("dataset", "train", "qat", "convert", "check", "compile", "benchmark")
KERAS = "float32-keras"
RECIPES = (
    KERAS,
    "float32",
    "float16",
    "dynamic",
    "ptq-int8-stock",
    "ptq-int8",
    "qat-int8-paper",
    "qat-int8",
    "mixed",
    "ptq-int4",
    "qat-int4",
)  # from the largest to the smallest
TFLITE, LITERT = "tflite-cpu", "litert-cpu"  # take the same files, with kernels of their own
RUNTIMES = ("keras-cpu", "keras-gpu", TFLITE, LITERT, "edgetpu")


@dataclass(frozen=True)
class Artifact:
    """One artifact: its folder and its merged record."""

    folder: Path
    record: Dict[str, Any]

    @property
    def stage(self) -> str:
        """The stage that made it."""
        return str(self.record["stage"])

    @property
    def key(self) -> str:
        """The digest of everything that could change what was made."""
        return str(self.record["key"])

    @property
    def label(self) -> str:
        """The name of its step."""
        return str(self.record["label"])

    def axis(self, name: str) -> Optional[str]:
        """Value of `model`, `recipe` or `runtime`, where the step has one; what train makes is the Keras network."""
        axes: Dict[str, str] = self.record.get("axes", {})
        return axes.get(name, KERAS if name == "recipe" and "model" in axes else None)

    def read_json(self, name: str) -> Dict[str, Any]:
        """Read one of its files as JSON."""
        try:
            document: Dict[str, Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                "%s of %s cannot be read: %s" % (name, self.label, error), "make the step again"
            ) from error
        return document

    def read_csv(self, name: str) -> List[Dict[str, str]]:
        """Read one of its files as a table."""
        with (self.folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def number(self, metric: str) -> Optional[Dict[str, Any]]:
        """Find one of the numbers of its record."""
        return next((number for number in self.record["numbers"] if number["metric"] == metric), None)


@dataclass(frozen=True)
class Missing:
    """A step that could not be made, with the reason."""

    stage: str
    model: str
    recipe: str
    runtime: str
    reason: str
    label: str


@dataclass(frozen=True)
class Gathered:
    """Everything that a report is about."""

    dataset: Artifact
    artifacts: Tuple[Artifact, ...]
    missing: Tuple[Missing, ...] = field(default=())

    def of(self, stage: str) -> List[Artifact]:
        """All artifacts of a stage."""
        return [artifact for artifact in self.artifacts if artifact.stage == stage]

    def find(self, stage: str, **axes: Optional[str]) -> Optional[Artifact]:
        """Find the artifact of a stage with the given axes."""
        return next(
            (one for one in self.of(stage) if all(one.axis(name) == value for name, value in axes.items())), None
        )

    def why_missing(self, stage: str, **axes: Optional[str]) -> Optional[str]:
        """Say why a step was not made, if it is known to be missing."""
        for one in self.missing:
            if one.stage == stage and all(getattr(one, name) == value for name, value in axes.items()):
                return one.reason
        return None

    def is_narrow(self, model: str, recipe: str) -> bool:
        """Whether a recipe's weights may take less than a byte, which tflite-runtime and the Edge TPU refuse."""
        return self.cpu(model, recipe) != TFLITE

    def cpu(self, model: str, recipe: str) -> str:
        """Name the runtime that stands for the CPU: tflite-runtime, unless the step that made the file says another."""
        artifact = self.find("convert", model=model, recipe=recipe)
        size = artifact.number("size_bytes") if artifact else None
        return str(size.get("runtime", TFLITE)) if size else TFLITE

    @property
    def models(self) -> List[str]:
        """All models with a place in the report's own tables, also those of which nothing could be made."""
        made = {one.axis("model") or "" for one in self.artifacts if one.stage in STAGES}
        return sorted((made | {one.model for one in self.missing if one.stage in STAGES}) - {""})

    @property
    def subjects(self) -> List[str]:
        """All models, also those that only stages with a section of their own know."""
        return sorted(
            {*(one.axis("model") or "" for one in self.artifacts), *(one.model for one in self.missing)} - {""}
        )

    def recipes(self, model: str) -> List[str]:
        """All recipes of a model, the Keras network first."""
        made = {one.axis("recipe") or "" for one in self.artifacts if one.axis("model") == model}
        return sorted((made | {one.recipe for one in self.missing if one.model == model}) - {""}, key=recipe_order)


def gather(step: Step) -> Gathered:
    """Read the records of all inputs of a report."""
    found = [_read(folder) for name, folder in step.inputs.items() if name not in EXTERNALS]
    datasets = [artifact for artifact in found if artifact.stage == "dataset"]
    if len(datasets) != 1:
        raise InputError("a report needs one data set, found %d" % len(datasets), "make the report through `./run all`")
    missing = sorted((_missing(told) for told in step.missing), key=lambda one: one.label)
    return Gathered(datasets[0], tuple(sorted(found, key=_order)), tuple(missing))


def recipe_order(recipe: str) -> Tuple[int, str]:
    """Sort recipes from float to int, unknown ones last by name."""
    return _place(RECIPES, recipe), recipe


def _read(folder: Path) -> Artifact:
    record = Artifact(folder, {"label": folder.name}).read_json("record.json")
    known = record.get("stage") in STAGES or (folder / SECTION).is_file()
    if record.get("schema") != "coralline.record" or not known:
        raise InputError("'%s' is no artifact that a report knows" % folder.name, "make the report through `./run all`")
    return Artifact(folder, record)


def _missing(told: Dict[str, str]) -> Missing:
    """Split a label `stage/model/recipe/runtime`, whose later parts may lack."""
    stage, model, recipe, runtime, *_ = [*told["step"].split("/"), "", "", ""]
    if stage == "train":
        recipe = KERAS
    return Missing(stage, model, recipe, runtime, told["reason"], told["step"])


def _order(artifact: Artifact) -> Tuple[Any, ...]:
    recipe, runtime = artifact.axis("recipe") or "", artifact.axis("runtime") or ""
    return (
        (_place(STAGES, artifact.stage), artifact.stage),
        artifact.axis("model") or "",
        recipe_order(recipe),
        (_place(RUNTIMES, runtime), runtime),
        artifact.key,
    )


def _place(known: Sequence[str], value: str) -> int:
    return known.index(value) if value in known else len(known)


def rows(gathered: Gathered) -> Iterator[Dict[str, Any]]:
    """Every number of every record, as `./run results --json` prints them."""
    measuring = hosts(gathered.of("benchmark"))
    for artifact in gathered.artifacts:
        host = next((host.label for host in measuring if host.measured(artifact)), processor(artifact.record["host"]))
        for number in artifact.record["numbers"]:
            yield {
                "model": number.get("model", artifact.axis("model")),
                "recipe": number.get("recipe", artifact.axis("recipe")),
                "runtime": number.get("runtime", artifact.axis("runtime")),
                "host": host,
                "metric": number["metric"],
                "value": number["value"],
                "unit": number["unit"],
                "n": number.get("n"),
                "interval": number.get("interval"),
                "artifact": artifact.key,
            }
