"""ptq-int8-stock: full int8 exactly as TensorFlow's converter does it, so that everybody sees the difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator, List, Sequence

import numpy as np
import tensorflow as tf

from stages.convert.calibration import draw
from stages.convert.network import converter, quantised_flatbuffer, takes_images
from stages.convert.source import Converted, Source
from stages.images import as_floats
from stages.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.images import ImageSet, Row


def convert(source: Source) -> Converted:
    """Convert with the calibration images as representative data set: ranges from minimum to maximum.

    Where none of them has a white pixel the range of the input is not that of bytes: it then stays float.
    """
    images = source.images()
    rows = draw(source, images)
    content = _convert(source, images, rows, tf.uint8)
    if not takes_images(content):
        content = _convert(source, images, rows, tf.float32)
    calibration = {
        "images": [row.path for row in rows],
        "seed": source.step.parameters["calibration_seed"],
        "asked": source.step.parameters["calibration_images"],
    }
    return Converted(content, calibration)


def _convert(source: Source, images: ImageSet, rows: Sequence[Row], entry: Any) -> bytes:
    progress = Progress(source.step, len(rows), "image", "calibrating")

    def representative() -> Iterator[List[NDArray[Any]]]:
        for row in rows:
            yield [as_floats(images.load(row, source.input_size))[np.newaxis]]
            progress.advance()

    made = converter(source.model)
    made.optimizations = [tf.lite.Optimize.DEFAULT]
    made.representative_dataset = representative
    made.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    made.inference_input_type, made.inference_output_type = entry, tf.uint8
    return quantised_flatbuffer(made)
