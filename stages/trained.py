"""A trained network as the train stage left it: built from `model.json`, filled from `weights.h5`.

convert and benchmark take their Keras model from here, train builds with the same function: there is one way from a
description to a network.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Dict, Mapping, Tuple

from stages.contract import InputError
from stages.models import build, load_models
from stages.rewrite import rewrite
from stages.weights import load_weights

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "coralline.model"
VERSION = 1
NEEDED = {"model": str, "input_size": int, "classes": list, "batchnorm_momentum": float, "validation_images": list}


def load_trained(folder: Path) -> Tuple[Any, Dict[str, Any]]:
    """Load the trained model of a train artifact, ready to predict, with the contents of its `model.json`.

    Inputs of the model are float32 in [0, 1], outputs are softmax in the order of `classes`.

    Raises:
        InputError: the artifact is damaged, or its model is not one that this version knows.
    """
    description = read_description(folder / "model.json")
    model = build_from(description)
    load_weights(model, folder / "weights.h5", "weights.h5 of the trained %s" % description["model"])
    return model, description


def read_description(path: Path) -> Dict[str, Any]:
    """Read and check a `model.json`."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _malformed(str(error)) from error
    if not isinstance(told, dict) or (told.get("schema"), told.get("version")) != (SCHEMA, VERSION):
        raise _malformed("schema %s version %d expected" % (SCHEMA, VERSION))
    wrong = [name for name, kind in NEEDED.items() if not isinstance(told.get(name), kind)]
    if wrong:
        raise _malformed("%s is missing or of the wrong kind" % ", ".join(wrong))
    return told


def build_from(description: Mapping[str, Any]) -> Any:
    """Build the untrained network that a `model.json` describes.

    Raises:
        InputError: no such model, or the input is too small for its layers.
    """
    name, size = description["model"], description["input_size"]
    known = load_models()
    if name not in known:
        raise InputError("no such model '%s'" % name, "models: %s" % ", ".join(known))
    try:
        model = build(name, size, len(description["classes"]))
    except ValueError as error:  # Keras' own words: "Input size must be at least 75x75; ..."
        raise InputError(
            "%s cannot be built for an input of %d px: %s" % (name, size, error),
            "set a larger train.input_size",
        ) from error
    set_batchnorm_momentum(model, description["batchnorm_momentum"])
    return rewrite(model)[0] if description.get("rewritten") else model


def set_batchnorm_momentum(model: Any, momentum: float) -> None:
    """Set the momentum of every BatchNormalization layer; 0 keeps Keras' own (0.99).

    Keras reads the attribute whenever it traces the layer, so it takes effect in every function made afterwards.
    """
    if not momentum:
        return
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = momentum


def _malformed(reason: str) -> InputError:
    return InputError("model.json is not one that Coralline wrote: %s" % reason, "train the model again")
