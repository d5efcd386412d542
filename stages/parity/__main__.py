"""The parity stage: the same int8 file on every runtime, the same images, and where the outputs part.

The reference kernels are the standard that the others are held to: they are written to be read and not to be fast. What
a stick gave comes from its benchmark step, where there was one.
"""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

import tensorflow as tf

from stages.contract import Step, run, write_json
from stages.images import ImageSet, Row, stratified
from stages.parity.compare import Seen, numbers, pair
from stages.parity.kernels import KERNELS, REFERENCE, XNNPACK
from stages.parity.locate import locate
from stages.parity.outputs import input_size, outputs_of
from stages.parity.recorded import RUNTIME as EDGETPU
from stages.parity.recorded import recorded
from stages.progress import Progress
from stages.tflite.model import Model, inputs_and_outputs, read_model

VERSION = 1
NOTHING_TAKEN = "XNNPACK takes none of the %d operators: what would run are the built-in kernels"
NOT_LOOKED_INTO = "where it begins is not looked for: the inner tensors of a compiled file are the compiler's own"
PREDICTIONS_ALONE = "its recorded outputs are not bytes of this file: only predictions are compared"


def main(step: Step) -> None:
    """Run, compare, and look for where differences begin."""
    content = (step.inputs["model"] / "model.tflite").read_bytes()
    model, images = read_model(content), ImageSet.read(step)
    rows = draw(step, images)
    seen, runtimes = run_kernels(step, content, model, images, rows)
    pairs = [pair(one, seen[REFERENCE], rows) for name, one in seen.items() if name != REFERENCE]
    for told in pairs:
        if told["disagreements"]:
            first = next(row for row in rows if row.path == told["disagreements"][0]["image"])
            image = images.load(first, input_size(model))
            told["first_divergence"] = {"image": first.path, **locate(content, told["runtime"], image)}
    stick, absent = with_stick(step, model, rows, seen[REFERENCE])
    document = {
        "schema": "coralline.parity",
        "version": VERSION,
        "model": step.parameters["model"],
        "recipe": step.parameters["recipe"],
        "classes": list(images.classes),
        "images": {"compared": len(rows), "of": len(images.rows("test")), "seed": step.parameters["seed"]},
        "tensorflow": tf.__version__,
        "runtimes": runtimes,
        "pairs": pairs + stick,
        "absent": not_run(step, model, runtimes) + absent,
    }
    write_json(step.out / "parity.json", document)
    facts = {name: document[name] for name in ("tensorflow", "images", "runtimes", "absent")}
    step.record(numbers(pairs + stick), facts)


def draw(step: Step, images: ImageSet) -> List[Row]:
    """Choose test images, every class in its share, in the order of the data set."""
    rows, count = images.rows("test"), int(step.parameters["images"])
    if not count:
        return list(rows)
    drawn = {row.path for row in stratified(rows, "parity", step.parameters["seed"], count=count)}
    return [row for row in rows if row.path in drawn]


def run_kernels(
    step: Step, content: bytes, model: Model, images: ImageSet, rows: Sequence[Row]
) -> Tuple[Dict[str, Seen], List[Dict[str, Any]]]:
    """Run the images on all kernels of TFLite; leave out a delegate that has nothing to do."""
    told = Progress(step, len(KERNELS) * len(rows), "image", "outputs")
    seen: Dict[str, Seen] = {}
    runtimes = []
    for kernels in KERNELS:
        values, facts = outputs_of(content, model, kernels, images, rows, threads=step.threads, told=told)
        runtimes.append(facts)
        if kernels != XNNPACK or facts["delegated"]:
            seen[kernels] = Seen.of(kernels, values)
    return seen, runtimes


def not_run(step: Step, model: Model, runtimes: Sequence[Dict[str, Any]]) -> List[Dict[str, str]]:
    """Say of a delegate that took nothing that it was not compared."""
    if any(told["runtime"] == XNNPACK and told["delegated"] for told in runtimes):
        return []
    reason = NOTHING_TAKEN % len(model.main.operators)
    step.warning(reason)
    return [{"runtime": XNNPACK, "reason": reason}]


def with_stick(
    step: Step, model: Model, rows: Sequence[Row], reference: Seen
) -> Tuple[List[Dict[str, Any]], List[Dict[str, str]]]:
    """Compare what the Edge TPU gave, or say why it gave nothing."""
    measured = [folder for name, folder in step.inputs.items() if name.startswith("benchmark.")]
    if not measured:
        reasons = [told["reason"] for told in step.missing] or ["it was not measured"]
        return [], [{"runtime": EDGETPU, "reason": reasons[0]}]
    _, (output,) = inputs_and_outputs(model)
    one = recorded(measured[0] / "predictions.csv", rows, output)
    note = NOT_LOOKED_INTO if one.values is not None else PREDICTIONS_ALONE
    return [{**pair(one, reference, rows), "note": note}], []


if __name__ == "__main__":
    run(main)
