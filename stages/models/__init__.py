"""The networks: one file each, found by name; a new model is a new file here and nothing else.

A model file holds `MODEL`, pure data that both sides read, and, for a network of Keras layers, `build(size, classes)`,
which imports TensorFlow and returns an untrained Keras model with inputs and outputs in [0, 1]: a softmax for
classification, a sigmoid for each pixel for segmentation.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any, Dict, NamedTuple, Optional, Tuple

Colours = Tuple[float, float, float]


class Preparation(NamedTuple):
    """What `keras.applications` makes of values from 0 to 1 for the weights that it has: (x - mean) / deviation."""

    mean: Colours
    deviation: Colours


IMAGENET = Preparation(mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225))  # "torch", EfficientNetV2-B
CENTRED = Preparation(mean=(0.5, 0.5, 0.5), deviation=(0.5, 0.5, 0.5))  # "tf"


@dataclass(frozen=True)
class Model:
    """What the graph must know of a network.

    `input_size` is the edge of its input in pixels, `smallest_input` the least that its layers allow; both are 0 for a
    network that sees no images. None for `recipes` means every one. `network` is what it is made of: stages say which
    kind they take (`Variant.networks`). `task` is what it learns, `source` the data it learns from unless the user
    names other. A `tiny` one is also written as C source for microcontrollers. `prepared` is None where
    `keras.applications` has no weights of the network.
    """

    name: str
    title: str
    input_size: int
    smallest_input: int = 32
    network: str = "keras"
    task: str = "classification"
    source: str = "simulate"
    metrics: Tuple[str, ...] = ("balanced_accuracy", "accuracy", "macro_f1")
    recipes: Optional[Tuple[str, ...]] = None
    tiny: bool = False
    prepared: Optional[Preparation] = None


def load_models() -> Dict[str, Model]:
    """All models by name, sorted; imports only the model files, which import nothing heavy."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    models = (importlib.import_module("%s.%s" % (__name__, name)).MODEL for name in names)
    return {model.name: model for model in models}


def build(name: str, size: int, classes: int) -> Any:
    """Build the untrained Keras model `name` for `size` x `size` x 3 inputs in [0, 1] and `classes` classes."""
    module = importlib.import_module("%s.%s" % (__name__, name.replace("-", "_")))
    return module.build(size, classes)
