"""The sensitivity stage: layer by layer and width by width, what the network loses when that layer has few bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Sequence

from stages.contract import InputError, Step, run, write_json
from stages.images import ImageSet, stratified

if TYPE_CHECKING:
    from stages.convert.source import Source
    from stages.images import Row
    from stages.sensitivity.layers import Layer
    from stages.sensitivity.measure import Measured

VERSION = 1
SEED = 1  # which images are looked at is not what anything varies


def main(step: Step) -> None:
    """Measure every layer and rank them."""
    from stages.convert.network import float_flatbuffer  # TensorFlow takes seconds to import
    from stages.convert.source import Source
    from stages.rewrite import rewrite
    from stages.sensitivity.layers import Rounder, layers
    from stages.sensitivity.measure import Measure, measure_all
    from stages.sensitivity.show import show
    from stages.trained import load_trained

    source = Source.read(step, load_trained)
    task = source.task()
    rows = validation(source, task.images, step.parameters["images"])
    model, _ = rewrite(source.model)  # as full int8 has it, so that the layers are those of its file
    flatbuffer = float_flatbuffer(model)
    measure = Measure(task, rows, source.input_size, flatbuffer, step.threads)
    widths = sorted(set(step.parameters["bits"]), reverse=True)
    found = layers(flatbuffer)
    measured = measure_all(step, measure, Rounder(flatbuffer), found, widths)
    told = {
        "schema": "coralline.sensitivity",
        "version": VERSION,
        "model": source.name,
        "images": len(rows),
        "metric": measure.reference["metric"],
        "float32": {"score": measure.reference["value"], "interval": measure.reference["interval"]},
        "layers": [document(layer, of_layer) for layer, of_layer in zip(found, measured)],
        "rankings": rankings(measured, measure.reference["value"]),
    }
    write_json(step.out / "sensitivity.json", told)
    show(step.out, told)
    step.record((), {"layers": len(found), "images": len(rows)})


def validation(source: Source, images: ImageSet, count: int) -> List[Row]:
    """Choose among the training images that were kept for validation, every class in its share.

    Raises:
        InputError: there are none of a class.
    """
    kept = set(source.validation_images)
    rows = [row for row in images.rows("train") if row.path in kept]
    if len({row.label for row in rows}) < len(images.classes):
        raise InputError("training kept no validation images of some class", "raise train.validation_share")
    return sorted(stratified(rows, "sensitivity", SEED, count=count), key=lambda row: row.path)


def document(layer: Layer, measured: Sequence[Measured]) -> Dict[str, Any]:
    """Describe a layer and what each width of its weights costs."""
    return {
        "name": layer.name,
        "operator": layer.operator,
        "shape": list(layer.shape),
        "weights": layer.weights,
        "widths": [one.document() for one in measured],
    }


def rankings(measured: Sequence[Sequence[Measured]], score: float) -> List[Dict[str, Any]]:
    """Compare for each width the order by divergence with that by lost score; None where all of one are alike."""
    from scipy.stats import spearmanr

    told = []
    for of_width in zip(*measured):
        lost = [score - one.score for one in of_width]
        apart = [one.divergence for one in of_width]
        alike = len(set(lost)) < 2 or len(set(apart)) < 2
        agreement = None if alike else round(float(spearmanr(apart, lost).statistic), 6)
        told.append({"bits": of_width[0].bits, "spearman": agreement})
    return told


if __name__ == "__main__":
    run(main)
