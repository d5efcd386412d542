"""ptq-int8: full int8 after training. The ranges are those of the calibration images, minimum to maximum."""

from __future__ import annotations

from stages.convert.calibration import draw, observe
from stages.convert.int8 import quantise
from stages.convert.network import float_flatbuffer
from stages.convert.ranges import minimum_maximum
from stages.convert.source import Converted, Source


def convert(source: Source) -> Converted:
    """Convert once to float, watch the activations, quantise with the ranges seen."""
    images = source.images()
    rows = draw(source, images)
    flatbuffer = float_flatbuffer(source)
    statistics = observe(source, flatbuffer, images, rows)
    content = quantise(flatbuffer, minimum_maximum(statistics))
    calibration = {
        "images": [row.path for row in rows],
        "seed": source.step.parameters["calibration_seed"],
        "asked": source.step.parameters["calibration_images"],
        "ranges": "minimum-maximum",
    }
    return Converted(content, calibration)
