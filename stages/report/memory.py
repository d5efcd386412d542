"""The honest size of each file: five numbers, and as what a runtime executes its weights, found by measurement.

`compression` is the float32 TFLite file's bytes over those of the file, and nothing else.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Dict, List, Optional

from stages.report.gather import LITERT
from stages.report.table import NOT_APPLICABLE, Cell, Table, derived, measured, word
from stages.report.tables import EIGHT_BIT, KB

if TYPE_CHECKING:
    from stages.report.gather import Artifact, Gathered

KILOBYTES, MEGABYTES, MEBIBYTES = "{:,.1f}", "{:.2f}", "{:.2f}"
MB, MIB = 1e-6, 1 / 2**20
STORAGE = "storage only"
EXECUTION = "execution.json"


def memory(gathered: Gathered) -> Table:
    """One row for each file that can be deployed."""
    file = ["weights, KB", "scales and biases, KB", "file, KB", "compression"]
    table = Table(
        "memory",
        "Weights and memory",
        ["model", "recipe", *file, "RAM, MB", "executed as", "on chip, MiB", "streamed, MiB"],
        groups=[("", 2), ("file", len(file)), (LITERT, 2), ("Edge TPU", 2)],
    )
    for converted in gathered.of("convert"):
        if converted.number("payload_bytes") is not None:
            table.rows.append(_row(gathered, converted))
    return table


def _row(gathered: Gathered, converted: Artifact) -> List[Cell]:
    model, recipe = converted.axis("model") or "", converted.axis("recipe") or ""
    run = _run(gathered, model, recipe)
    return [
        word(model),
        word(recipe),
        measured(converted, "payload_bytes", KILOBYTES, KB),
        measured(converted, "overhead_bytes", KILOBYTES, KB),
        measured(converted, "size_bytes", KILOBYTES, KB),
        _compression(gathered, converted),
        NOT_APPLICABLE if run is None else measured(run, "ram_bytes", MEGABYTES, MB),
        NOT_APPLICABLE if run is None else _executed(run),
        *_on_chip(gathered, model, recipe),
    ]


def _run(gathered: Gathered, model: str, recipe: str) -> Optional[Artifact]:
    """Find what measured memory and execution: LiteRT, or what stands for a file that it cannot take."""
    runtimes = (LITERT, gathered.cpu(model, recipe))
    found = (gathered.find("benchmark", model=model, recipe=recipe, runtime=one) for one in runtimes)
    return next((one for one in found if one is not None and (one.folder / EXECUTION).is_file()), None)


def _compression(gathered: Gathered, converted: Artifact) -> Cell:
    reference = gathered.find("convert", model=converted.axis("model"), recipe="float32")
    large, small = (one.number("size_bytes") if one else None for one in (reference, converted))
    if large is None or small is None:
        return NOT_APPLICABLE
    how = "float32 TFLite, %d bytes, over %d bytes" % (large["value"], small["value"])
    return derived(large["value"] / small["value"], "{:.2f}", how)


def _executed(run: Artifact) -> Cell:
    """Say which share of the weights is executed as what."""
    kinds: List[Dict[str, Any]] = run.read_json(EXECUTION)["kinds"]
    if kinds and all(kind["executed_as"] == STORAGE for kind in kinds):
        return Cell(STORAGE, STORAGE, title="%s: no runtime executes these weights" % run.label, artifact=run)
    counts: Counter[str] = Counter()
    for kind in kinds:
        stored = ", %s" % STORAGE if kind["storage_only"] else ""
        counts[kind["executed_as"] + stored] += kind["weights"]
    total = sum(counts.values())
    shares = ", ".join("%s %s" % (name, _share(count / total)) for name, count in counts.most_common())
    title = "; ".join(
        "%s %s: %d operators, %s, %.2f bytes each"
        % (k["dtype"], k["operator"], k["operators"], k["executed_as"], k["ram_bytes"])
        for k in kinds
    )
    return Cell(
        shares, counts.most_common(1)[0][0] if counts else "", title="%s; %s" % (run.label, title), artifact=run
    )


def _share(share: float) -> str:
    return "%.0f %%" % (100 * share) if share >= 0.005 else "under 1 %"


def _on_chip(gathered: Gathered, model: str, recipe: str) -> List[Cell]:
    """Return the bytes that the compiler keeps on the chip and streams, or what is predicted of them."""
    if gathered.is_narrow(model, recipe):
        return [EIGHT_BIT, EIGHT_BIT]
    compiled = gathered.find("compile", model=model, recipe=recipe)
    if compiled is not None:
        return [_fact(compiled, name) for name in ("cached_bytes", "streamed_bytes")]
    judged = gathered.find("check", model=model, recipe=recipe)
    if judged is None:
        return [NOT_APPLICABLE, NOT_APPLICABLE]
    told: Optional[Dict[str, Any]] = judged.read_json("estimate.json")
    whole = judged.number("predicted_parameter_bytes")
    if not told or whole is None:
        return [NOT_APPLICABLE, NOT_APPLICABLE]
    streamed = told["streamed_bytes"]
    return [_predicted(judged, whole["value"] - streamed), _predicted(judged, streamed)]


def _predicted(judged: Artifact, count: float) -> Cell:
    title = "predicted, not measured: %s" % judged.label
    return Cell("~" + MEBIBYTES.format(count * MIB), count, "predicted", title=title, artifact=judged)


def _fact(compiled: Artifact, name: str) -> Cell:
    """Return what the compiler printed."""
    value = compiled.record["facts"].get(name)
    if value is None:
        return NOT_APPLICABLE
    return Cell(MEBIBYTES.format(value * MIB), value, "number", title=compiled.label, artifact=compiled)
