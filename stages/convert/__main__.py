"""The convert stage: a trained network becomes `model.tflite` by a recipe, and `conversion.json` says what it holds.

Where no runtime executes what a recipe makes, it becomes `model.packed`, a container, in place of a TFLite file.

A recipe is `convert(source)` in `stages/convert/recipes/NAME.py`, with a `load(folder)` of its own where the weights
are not those of the float network, and a `RUNTIME` of its own where tflite-runtime, which stands for the CPU, does not
take all that it may make. It is found by its name at run time, so that a changed recipe is part of the code of
its own steps alone.
"""

from __future__ import annotations

import importlib
from collections import Counter
from typing import Any, Dict, Tuple

from stages.container.file import MAGIC, read, write
from stages.container.network import restored
from stages.container.network import sizes as container_sizes
from stages.contract import InputError, Step, number, run, write_json
from stages.convert.source import Converted, Source
from stages.tflite.model import Model, describe, float_operators, inputs_and_outputs, operator_counts, read_model
from stages.tflite.sizes import sizes
from stages.trained import load_trained

VERSION = 1


def main(step: Step) -> None:
    """Convert by the step's recipe."""
    recipe = load_recipe(step.parameters["recipe"])
    take_one_core()
    source = Source.read(step, getattr(recipe, "load", load_trained))
    converted: Converted = recipe.convert(source)
    name, content = deployed(converted)
    (step.out / name).write_bytes(content)
    told = conversion(source, converted)
    write_json(step.out / "conversion.json", told)
    names = ("size_bytes", "payload_bytes", "overhead_bytes")
    runtime = getattr(recipe, "RUNTIME", "tflite-cpu")
    step.record([number(name, told[name], "B", runtime=runtime) for name in names], facts(converted))


def deployed(converted: Converted) -> Tuple[str, bytes]:
    """Name what is kept, and give its bytes."""
    if converted.container is None:
        return "model.tflite", converted.content
    return "model.packed", write(converted.container)


def take_one_core() -> None:
    """Let TensorFlow compute with one thread: sums are then added in one order, whatever the number of cores."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def load_recipe(name: str) -> Any:
    """Find the module of a recipe.

    Raises:
        InputError: there is none of that name.
    """
    module = "stages.convert.recipes.%s" % name.replace("-", "_")
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise InputError("no such recipe '%s'" % name, "`./run recipes` lists them") from error


def conversion(source: Source, converted: Converted) -> Dict[str, Any]:
    """Describe the result for `conversion.json`, read back from the file itself and not from what was asked for."""
    _, content = deployed(converted)
    model, weighed = _read_back(content)
    inputs, outputs = inputs_and_outputs(model)
    return {
        "schema": "coralline.conversion",
        "version": VERSION,
        "recipe": source.step.parameters["recipe"],
        "model": source.name,
        "classes": source.classes,
        "input_size": source.input_size,
        "input": describe(inputs[0]),
        "output": describe(outputs[0]),
        "operators": operator_counts(model),
        "float_operators": dict(sorted(Counter(float_operators(model)).items())),
        "calibration": converted.calibration,
        "quantisation": converted.quantisation,
        "storage_only": converted.container is not None,
        "size_bytes": len(content),
        **weighed,
    }


def _read_back(content: bytes) -> Tuple[Model, Dict[str, Any]]:
    """Read the network from a TFLite file or a container, and the sizes of its weights."""
    if not content.startswith(MAGIC):
        model = read_model(content)
        return model, sizes(model)
    container = read(content)
    return read_model(restored(container)), container_sizes(container)


def facts(converted: Converted) -> Dict[str, Any]:
    """Gather what the record says beside the numbers."""
    import tensorflow as tf

    found: Dict[str, Any] = {"tensorflow": tf.__version__}
    if converted.calibration is not None:
        found["calibration_images"] = len(converted.calibration["images"])
    return found


if __name__ == "__main__":
    run(main)
