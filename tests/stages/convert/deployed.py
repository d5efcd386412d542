"""Run a TFLite file as whoever deploys it would: bytes of images in, probabilities out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from stages.images import as_floats

if TYPE_CHECKING:
    from numpy.typing import NDArray


def run(content: bytes, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the outputs for each picture, [image, class], as real values."""
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    entry, end = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    rows = []
    for picture in pictures:
        interpreter.set_tensor(entry["index"], (as_floats(picture) if entry["dtype"] is np.float32 else picture)[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(end["index"])[0].astype(np.float32))
    scale, zero_point = end["quantization"]
    return np.asarray((np.stack(rows) - zero_point) * (scale or 1), np.float32)
