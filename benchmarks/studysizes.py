"""Convert EfficientNetV2B0 with a head of 1,000 classes by each recipe; run by sizes.py in the convert environment.

Prints one JSON object: the bytes of each file. Weights are random: they change no size.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "benchmarks")]

import networks  # noqa: E402
import tensorflow as tf  # noqa: E402

from stages.convert.__main__ import load_recipe  # noqa: E402

SIZE, CLASSES = 224, 1000


def main() -> None:
    """Print the sizes."""
    tf.keras.utils.set_random_seed(1)
    network = tf.keras.applications.EfficientNetV2B0(weights=None, input_shape=(SIZE, SIZE, 3), classes=CLASSES)
    networks.scatter(network)
    source = SimpleNamespace(model=network)
    found = {name: len(load_recipe(name).convert(source).content) for name in ("float32", "float16", "dynamic")}
    found["ptq-int8-stock"] = len(networks.convert("EfficientNetV2B0", SIZE, CLASSES))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
