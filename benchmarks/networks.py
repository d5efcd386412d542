"""Build networks with random weights and convert them to int8 files; run by predict.py in the convert environment.

    python benchmarks/networks.py FOLDER

Writes `NAME-SIZE-CLASSES.tflite` for every network of published.json that is not there yet. The ranges mean nothing:
only shapes and operators matter to a prediction.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Iterator

CALIBRATION_IMAGES = 2
BUILDERS = {
    "mobilenet": "MobileNet",
    "mobilenetv2": "MobileNetV2",
    "densenet121": "DenseNet121",
    "densenet169": "DenseNet169",
    "efficientnetv2b0": "EfficientNetV2B0",
    "inceptionresnetv2": "InceptionResNetV2",
    "inceptionv3": "InceptionV3",
    "resnet50": "ResNet50",
    "resnet50v2": "ResNet50V2",
    "resnet152v2": "ResNet152V2",
    "vgg16": "VGG16",
    "vgg19": "VGG19",
}


def main() -> None:
    """Make what is missing in the folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    table = json.loads((Path(__file__).parent / "published.json").read_text())["networks"]
    for entry in table:
        path = folder / "{name}-{size}-{classes}.tflite".format(**entry)
        if not path.exists():
            print(path.name, file=sys.stderr, flush=True)
            made = convert(BUILDERS[entry["name"]], entry["size"], entry["classes"])
            path.with_suffix(".part").write_bytes(made)
            path.with_suffix(".part").rename(path)


def convert(builder: str, size: int, classes: int) -> bytes:
    """Build a network of `tf.keras.applications` and convert it as TensorFlow's own converter does."""
    tf.keras.utils.set_random_seed(1)
    build = getattr(tf.keras.applications, builder)
    network = build(weights=None, input_shape=(size, size, 3), classes=classes)
    scatter(network)
    concrete = tf.function(network).get_concrete_function(tf.TensorSpec((1, size, size, 3), tf.float32))

    def images() -> Iterator[list[Any]]:
        for seed in range(CALIBRATION_IMAGES):
            yield [tf.random.stateless_uniform((1, size, size, 3), (seed, 0))]

    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = images
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    return bytes(converter.convert())


def scatter(network: Any) -> None:
    """Give every BatchNorm random statistics: with those of a new network the converter would leave operators out."""
    for number, layer in enumerate(network.layers):
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            shapes = [weights.shape for weights in layer.weights]
            layer.set_weights(
                [tf.random.stateless_uniform(s, (number, place), 0.5, 1.5) for place, s in enumerate(shapes)]
            )


if __name__ == "__main__":
    main()
