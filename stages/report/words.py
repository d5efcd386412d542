"""Says in sentences what the data are, how short the training was, and what came out, from the records alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from stages.report.gather import KERAS, TFLITE
from stages.report.hosts import together
from stages.report.metric import first_of, title

if TYPE_CHECKING:
    from stages.report.gather import Artifact, Gathered

SIMULATED = (
    "The events come from Coralline's own fast simulation, which is neither GENIE nor Geant4: cross sections, nuclear "
    "reinteraction, showers and detector response are simplified, so an accuracy measured here is an accuracy on this "
    "simulation."
)
SMALL_BYTES, SHORT_MS = 100_000, 0.1  # smaller sizes are written in KB, shorter latencies with three digits
FOLDER = "The images are the user's own; they entered by the digest of their content and were not changed."


def data(dataset: Artifact) -> str:
    """Say in one sentence what the data are: sources of their own say it in `dataset.json`."""
    told = dataset.read_json("dataset.json")
    return {"simulate": SIMULATED, "folder": FOLDER}.get(told["source"]) or str(told["about"])


def counts(dataset: Dict[str, Any]) -> str:
    """Say how many images of which size, or other examples, there are."""
    splits = sorted(dataset["splits"].items(), key=lambda item: (item[0] != "train", item[0]))
    totals = ", ".join(f"{sum(classes.values()):,} {split}" for split, classes in splits)
    form = ""
    if dataset["size"] is not None:
        height, width = dataset["size"]
        form = ", images of %d x %d pixels with three 8-bit channels" % (width, height)
    elif dataset.get("images"):
        form = ", photographs of sizes of their own, of which the central square is used"
    classes = len(dataset["classes"])
    return "%d class%s%s: %s." % (classes, "" if classes == 1 else "es", form, totals)


def channel(dataset: Dict[str, Any]) -> str:
    """Name the channel that is shown by itself."""
    return "view w (collection)" if dataset["source"] in ("simulate", "tracks") else "the third channel"


def trainings(gathered: Gathered) -> List[str]:
    """Say for each model how it was trained, and when the training was cut short."""
    return [_training(artifact) for artifact in gathered.of("train")]


def _training(artifact: Artifact) -> str:
    parameters = artifact.record["key_parts"]["parameters"]
    history = artifact.read_csv("history.csv")
    model = artifact.axis("model")
    if not history:
        return "%s was not trained here, only evaluated." % model
    best = artifact.number("best_epoch")
    text = "%s: %d epochs of at most %d" % (model, len(history), parameters["epochs"])
    text += ", batch %d, learning rate %g" % (parameters["batch"], parameters["learning_rate"])
    text += ", seed %d" % parameters["seed"]
    text += ", best epoch %d." % best["value"] if best else "."
    if len(history) == parameters["epochs"]:
        text += " The limit of epochs ended the training, so a longer one may do better."
    return text


def summary(gathered: Gathered) -> List[Dict[str, str]]:
    """For each model what full int8 does to accuracy, size and latency, where all of it was measured."""
    found = [_summary(gathered, model) for model in gathered.models]
    return [one for one in found if one is not None]


def _summary(gathered: Gathered, model: str) -> Optional[Dict[str, str]]:
    keras = gathered.find("benchmark", model=model, recipe=KERAS)
    float32, int8 = (_on_cpu(gathered, model, recipe) for recipe in ("float32", "ptq-int8"))
    large, small = (gathered.find("convert", model=model, recipe=recipe) for recipe in ("float32", "ptq-int8"))
    accuracies = _pair(keras, int8, first_of(model))
    sizes, medians = _pair(large, small, "size_bytes"), _pair(float32, int8, "latency_p50_ms")
    if accuracies is None or sizes is None or medians is None:
        return None
    digits = 1 if min(medians) >= SHORT_MS else 3
    one_host = float32 is not None and together(float32, int8)
    return {
        "model": model,
        "first": title(first_of(model)),
        "accuracy": "%.3f \u2192 %.3f" % accuracies,
        "accuracy_note": "%+.3f against the Keras network" % (round(accuracies[1] - accuracies[0], 3) + 0.0),
        "size": _sizes(*sizes),
        "size_note": "%.2f times smaller than float32" % (sizes[0] / sizes[1]),
        "latency": "%.*f \u2192 %.*f ms" % (digits, medians[0], digits, medians[1]),
        "latency_note": "%.2f times the speed of float32 on the CPU" % (medians[0] / medians[1])
        if one_host
        else "on two machines: not to be compared",
    }


def _sizes(large: float, small: float) -> str:
    """Write two sizes in the unit that suits the smaller one."""
    scale, unit = (1e6, "MB") if small >= SMALL_BYTES else (1e3, "KB")
    return "%.1f \u2192 %.1f %s" % (large / scale, small / scale, unit)


def _on_cpu(gathered: Gathered, model: str, recipe: str) -> Optional[Artifact]:
    return gathered.find("benchmark", model=model, recipe=recipe, runtime=TFLITE)


def _pair(one: Optional[Artifact], other: Optional[Artifact], metric: str) -> Optional[Tuple[float, float]]:
    """Return a metric of two artifacts, if both have it."""
    numbers = [artifact.number(metric) for artifact in (one, other) if artifact is not None]
    found = [float(number["value"]) for number in numbers if number is not None]
    return (found[0], found[1]) if len(found) == 2 else None


def warnings(gathered: Gathered) -> List[Dict[str, str]]:
    """Collect everything that the steps warned of."""
    return [
        {"step": artifact.label, "text": warning}
        for artifact in gathered.artifacts
        for warning in artifact.record.get("warnings", ())
    ]


def missing(gathered: Gathered) -> Dict[str, List[str]]:
    """Group what could not be made by reason."""
    found: Dict[str, List[str]] = {}
    for one in gathered.missing:
        found.setdefault(one.reason, []).append(one.label)
    return found
