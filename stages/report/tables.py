"""Builds the tables of a report: what was measured and from which artifact, what is missing and why.

A size is in KB of 1000 bytes, as in the TFLite study. What is predicted is marked so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional

from stages.accuracy import AMONG_FIRST, MANY
from stages.report.evaluated import evaluated, metric, runtime_cell
from stages.report.gather import KERAS, TFLITE
from stages.report.hosts import hosts
from stages.report.metric import first_of, first_title
from stages.report.table import NOT_APPLICABLE, Cell, Table, derived, measured, predicted, word

if TYPE_CHECKING:
    from stages.report.gather import Artifact, Gathered
    from stages.report.hosts import Host

KB = 1 / 1000
FRACTION = "{:.3f}"
KILOBYTES = "{:,.0f}"
MILLISECONDS = "{:.2f}"
MOST_RECALLS = 6  # classes; of more the recalls stand among all numbers only
EDGE_TPU = "edgetpu"
USUAL = (TFLITE, "keras-cpu", "keras-gpu")  # runtimes that need not be named
EIGHT_BIT = Cell(
    "not applicable: 8-bit device", -1.0, "missing", title="the Edge TPU computes with int8 and nothing narrower"
)


class Where(NamedTuple):
    """What a benchmark is of."""

    model: str
    recipe: str
    runtime: str


def headline(gathered: Gathered) -> Table:
    """One row for each model and recipe: what quantisation and compilation cost and gain.

    Durations that several machines measured stand in a column for each.
    """
    places = [(model, recipe) for model in gathered.models for recipe in gathered.recipes(model)]
    cpus = _hosts(gathered, [Where(model, recipe, _cpu(gathered, model, recipe)) for model, recipe in places])
    tpus = _hosts(gathered, [Where(model, recipe, EDGE_TPU) for model, recipe in places])
    first = first_title(gathered)
    files = [first, "size, KB", "saved, %", "ratio", *medians(cpus)]
    compiled = ["size, KB", first, *medians(tpus)]
    table = Table(
        "headline",
        "Results",
        ["model", "recipe", *files, *compiled],
        groups=[("", 2), ("CPU", len(files)), ("Edge TPU", len(compiled))],
    )
    for model, recipe in places:
        on_cpu = Where(model, recipe, _cpu(gathered, model, recipe))
        on_tpu = Where(model, recipe, EDGE_TPU)
        size = _size(table, gathered, model, recipe)
        table.rows.append(
            [
                word(model),
                _recipe(recipe, on_cpu),
                _of_benchmark(table, gathered, on_cpu, first_of(model), FRACTION),
                size,
                *_against_float32(gathered, model, recipe),
                *by_host(_of_benchmark(table, gathered, on_cpu, "latency_p50_ms", MILLISECONDS), cpus),
                _compiled_size(table, gathered, model, recipe),
                _of_benchmark(table, gathered, on_tpu, first_of(model), FRACTION),
                *by_host(_on_tpu(table, gathered, on_tpu), tpus),
            ]
        )
    return table


def accuracy(gathered: Gathered) -> Table:
    """One row for each benchmark and simulated network: how often it is right on the test split."""
    classes = gathered.dataset.read_json("dataset.json")["classes"]
    recalls = ["recall_%s" % name for name in classes] if len(classes) <= MOST_RECALLS else []
    metrics = ["balanced_accuracy", "accuracy", "macro_f1", *recalls]
    titles = ["balanced accuracy", "accuracy", "macro F1", *(name.replace("_", " ", 1) for name in recalls)]
    if len(classes) > MANY:
        metrics, titles = [*metrics, AMONG_FIRST], [*titles, "top-5 accuracy"]
    table = Table(
        "accuracy", "Accuracy", ["model", "recipe", "runtime", *titles, "images", "agrees with Keras, %"], words=3
    )
    for artifact in (one for one in evaluated(gathered) if one.number(metric(one, "balanced_accuracy"))):
        table.rows.append(
            [
                word(artifact.axis("model")),
                word(artifact.axis("recipe")),
                runtime_cell(artifact),
                *(measured(artifact, metric(artifact, name), FRACTION) for name in metrics),
                count(artifact, metric(artifact, "balanced_accuracy")),
                _agreement(gathered, artifact),
            ]
        )
    return table


def sizes(gathered: Gathered) -> Table:
    """One row for each file that can be deployed."""
    table = Table("sizes", "Sizes", ["model", "recipe", "file", "bytes", "KB", "saved, %", "ratio"], words=3)
    for model in gathered.models:
        for recipe in gathered.recipes(model):
            converted = gathered.find("convert", model=model, recipe=recipe)
            if converted is not None:
                size = [
                    measured(converted, "size_bytes", form, scale) for form, scale in (("{:,.0f}", 1), ("{:,.1f}", KB))
                ]
                table.rows.append(
                    [
                        word(model),
                        word(recipe),
                        word(_kind(converted)),
                        *size,
                        *_against_float32(gathered, model, recipe),
                    ]
                )
            _add_compiled(table, gathered, model, recipe)
    return table


def _kind(converted: Artifact) -> str:
    """Name what kind of file was made."""
    return "packed container" if (converted.folder / "model.packed").is_file() else "TFLite"


def _hosts(gathered: Gathered, places: List[Where]) -> List[Host]:
    found = (gathered.find("benchmark", **where._asdict()) for where in places)
    return hosts(artifact for artifact in found if artifact is not None)


def medians(found: List[Host]) -> List[str]:
    """Name the columns of median latencies: one, or one for each machine that measured."""
    return ["p50, ms"] if len(found) < 2 else ["p50, ms, %s" % host.label for host in found]


def by_host(cell: Cell, found: List[Host]) -> List[Cell]:
    """Put a measured duration into the column of its machine; what is no measurement is the same for all."""
    if len(found) < 2:
        return [cell]
    artifact = cell.artifact if cell.kind == "number" else None
    return [cell if artifact is None or host.measured(artifact) else NOT_APPLICABLE for host in found]


def _cpu(gathered: Gathered, model: str, recipe: str) -> str:
    """Name the runtime that stands for the CPU; Keras may have been measured on a GPU only."""
    if recipe != KERAS:
        return gathered.cpu(model, recipe)
    gpu_only = gathered.find("benchmark", model=model, recipe=recipe, runtime="keras-cpu") is None
    return "keras-gpu" if gpu_only and gathered.find("benchmark", model=model, runtime="keras-gpu") else "keras-cpu"


def _recipe(recipe: str, where: Where) -> Cell:
    """Name a recipe, and the runtime where it is not the one that stands for the CPU in all other rows."""
    return word(recipe) if where.runtime in USUAL else replace(word(recipe), detail=where.runtime)


def axes(artifact: Artifact) -> List[Cell]:
    """Name what a benchmark is of: model, recipe, runtime."""
    return [word(artifact.axis(name)) for name in ("model", "recipe", "runtime")]


def count(artifact: Artifact, metric: str) -> Cell:
    """Return from how many images or inferences a number comes."""
    number = artifact.number(metric)
    n = number["n"] if number else None
    return NOT_APPLICABLE if n is None else Cell(f"{n:,}", n)


def _of_benchmark(table: Table, gathered: Gathered, where: Where, metric: str, form: str) -> Cell:
    """Return a number of a benchmark, or why there is none."""
    artifact = gathered.find("benchmark", **where._asdict())
    if artifact is not None:
        return measured(artifact, metric, form)
    if where.runtime == EDGE_TPU and gathered.is_narrow(where.model, where.recipe):
        return EIGHT_BIT
    if where.runtime == EDGE_TPU:
        not_compiled = gathered.why_missing("compile", model=where.model, recipe=where.recipe)
        if not_compiled is not None:
            return table.missing("not compiled", not_compiled)
    reason = gathered.why_missing("benchmark", **where._asdict())
    return NOT_APPLICABLE if reason is None else table.missing("not measured", reason)


def _on_tpu(table: Table, gathered: Gathered, where: Where) -> Cell:
    """Return the latency on the Edge TPU, or what is predicted where it could not be measured."""
    found = _of_benchmark(table, gathered, where, "latency_p50_ms", MILLISECONDS)
    judged = gathered.find("check", model=where.model, recipe=where.recipe)
    if found.kind != "missing" or judged is None or judged.number("predicted_latency_ms") is None:
        return found
    return predicted(judged, "predicted_latency_ms", "{:.1f}")


def _size(table: Table, gathered: Gathered, model: str, recipe: str) -> Cell:
    artifact = gathered.find("convert", model=model, recipe=recipe)
    if artifact is not None:
        return measured(artifact, "size_bytes", KILOBYTES, KB)
    reason = gathered.why_missing("convert", model=model, recipe=recipe)
    return NOT_APPLICABLE if reason is None else table.missing("not converted", reason)


def _compiled_size(table: Table, gathered: Gathered, model: str, recipe: str) -> Cell:
    artifact = gathered.find("compile", model=model, recipe=recipe)
    if artifact is not None:
        return measured(artifact, "size_bytes", KILOBYTES, KB)
    if gathered.is_narrow(model, recipe):
        return EIGHT_BIT
    reason = gathered.why_missing("compile", model=model, recipe=recipe)
    return NOT_APPLICABLE if reason is None else table.missing("not compiled", reason)


def _add_compiled(table: Table, gathered: Gathered, model: str, recipe: str) -> None:
    """Add a row for the Edge TPU's file of a recipe, made or not."""
    artifact = gathered.find("compile", model=model, recipe=recipe)
    words = [word(model), word(recipe), word("Edge TPU")]
    if artifact is not None:
        size = [measured(artifact, "size_bytes", "{:,.0f}"), measured(artifact, "size_bytes", "{:,.1f}", KB)]
        table.rows.append([*words, *size, *_against_float32(gathered, model, recipe, "compile")])
    elif gathered.why_missing("compile", model=model, recipe=recipe) is not None:
        cell = _compiled_size(table, gathered, model, recipe)
        table.rows.append([*words, cell, cell, NOT_APPLICABLE, NOT_APPLICABLE])


def _bytes(gathered: Gathered, model: str, recipe: str, stage: str = "convert") -> Optional[float]:
    artifact = gathered.find(stage, model=model, recipe=recipe)
    number = artifact.number("size_bytes") if artifact else None
    return number["value"] if number else None


def _against_float32(gathered: Gathered, model: str, recipe: str, stage: str = "convert") -> List[Cell]:
    """Compare a file with the model's float32 TFLite file: saved share and ratio."""
    size, reference = _bytes(gathered, model, recipe, stage), _bytes(gathered, model, "float32")
    if not size or not reference:
        return [NOT_APPLICABLE, NOT_APPLICABLE]
    how = "against float32 TFLite: %d of %d bytes" % (size, reference)
    return [derived(100 * (1 - size / reference), "{:.1f}", how), derived(reference / size, "{:.2f}", how)]


def _agreement(gathered: Gathered, artifact: Artifact) -> Cell:
    """Count the test images for which the file names the same class as the Keras network that it was made from."""
    keras = gathered.find("benchmark", model=artifact.axis("model"), recipe=KERAS)
    if keras is None or keras is artifact:
        return NOT_APPLICABLE
    there, here = _predicted(keras), _predicted(artifact)
    if not there or there.keys() != here.keys():
        return NOT_APPLICABLE
    same = sum(there[path] == here[path] for path in there)
    return derived(100 * same / len(there), "{:.1f}", "%d of %d test images get the same class" % (same, len(there)))


def _predicted(artifact: Artifact) -> Dict[str, str]:
    return {row["path"]: row["predicted"] for row in artifact.read_csv("predictions.csv")}
