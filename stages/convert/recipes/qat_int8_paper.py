"""qat-int8-paper: TFMOT's simulating network through TensorFlow's converter, without calibration images.

What no annotated layer hands on has no range, so it stays float: `float_operators` in `conversion.json` counts it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Tuple

import tensorflow as tf
import tensorflow_model_optimization as tfmot

from stages.convert.network import converter, quantised_flatbuffer, takes_images
from stages.convert.source import Converted, Source
from stages.network import read_description
from stages.qat.stock import load_simulated
from stages.tflite.model import float_operators, read_model

if TYPE_CHECKING:
    from pathlib import Path


def load(folder: Path) -> Tuple[Any, Dict[str, Any]]:
    """Load the simulating network with the contents of its `model.json`."""
    return load_simulated(folder), read_description(folder / "model.json")


def convert(source: Source) -> Converted:
    """Convert with the ranges of the training; bytes go in where the first one is that of an image."""
    content = _convert(source.model, tf.uint8)
    if not takes_images(content):
        content = _convert(source.model, tf.float32)
    model = read_model(content)
    left, total = len(float_operators(model)), len(model.main.operators)
    if left:
        source.step.warning("%d of %d operators compute in float: the Edge TPU takes none of them" % (left, total))
    return Converted(content)


def _convert(network: Any, entry: Any) -> bytes:
    with tfmot.quantization.keras.quantize_scope():
        made = converter(network)
        made.optimizations = [tf.lite.Optimize.DEFAULT]
        made.inference_input_type, made.inference_output_type = entry, tf.uint8
        return quantised_flatbuffer(made)
