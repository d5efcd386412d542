"""Make EfficientNetV2B0 with random weights, 3 classes, 224 px, as three files; run by int4.py where TensorFlow is.

    python benchmarks/fourbits.py FOLDER

Writes `float32.tflite`, `int8.tflite` and `int4.tflite`, those of full int8 and of ptq-int4 as the convert stage makes
them, but for the search: sizes and speed do not depend on what weights and ranges mean. Prints their bytes as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from networks import scatter  # noqa: E402

from stages.convert.calibration import Observer  # noqa: E402
from stages.convert.int8 import quantise  # noqa: E402
from stages.convert.narrow import RULES, packed, stand_in  # noqa: E402
from stages.convert.network import float_flatbuffer  # noqa: E402
from stages.convert.ranges import minimum_maximum  # noqa: E402
from stages.models import build  # noqa: E402

MODEL, SIZE, CLASSES, IMAGES = "efficientnetv2b0", 224, 3, 4


def main() -> None:
    """Make what is missing in the folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "int4.tflite").exists():
        make(folder)
    print(json.dumps({path.name: path.stat().st_size for path in sorted(folder.glob("*.tflite"))}))


def make(folder: Path) -> None:
    """Write the three files."""
    tf.keras.utils.set_random_seed(1)
    network = build(MODEL, SIZE, CLASSES)
    scatter(network)
    flatbuffer = float_flatbuffer(network)
    pixels = np.random.default_rng(1).integers(0, 256, (IMAGES, SIZE, SIZE, 3), dtype=np.uint8)
    ranges = minimum_maximum(Observer(flatbuffer, pixels.__getitem__, SIZE, 1).statistics(range(IMAGES)))
    int8 = quantise(flatbuffer, ranges)
    (folder / "float32.tflite").write_bytes(flatbuffer)
    (folder / "int8.tflite").write_bytes(int8)
    (folder / "int4.part").write_bytes(packed(stand_in(int8, pixels[:1], RULES["nearest"])))
    (folder / "int4.part").rename(folder / "int4.tflite")


if __name__ == "__main__":
    main()
