"""From a description (`model.json`) to a network that has learnt nothing yet: the one way for every stage.

Filling it with weights is next door, in `stages/trained.py`: a change there is no reason to train anything again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Dict, Mapping

from stages.contract import InputError
from stages.models import build, load_models
from stages.preparation import with_preparation

if TYPE_CHECKING:
    from pathlib import Path

    from stages.models import Model, Preparation

SCHEMA = "coralline.model"
VERSION = 1
UNIT = "unit"  # what a network gets are values from 0 to 1, and nothing changes them before its first layer
NEEDED = {"model": str, "input_size": int, "classes": list, "batchnorm_momentum": float, "validation_images": list}


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
    preparation = _preparation(known[name]) if description.get("input_values", UNIT) != UNIT else None
    try:
        model = build(name, size, len(description["classes"]))
    except ValueError as error:  # Keras' own words: "Input size must be at least 75x75; ..."
        raise InputError(
            "%s cannot be built for an input of %d px: %s" % (name, size, error),
            "set a larger train.input_size",
        ) from error
    if preparation is not None:
        model = with_preparation(model, preparation)
    set_batchnorm_momentum(model, description["batchnorm_momentum"])
    return model


def _preparation(told: Model) -> Preparation:
    if told.prepared is None:
        raise InputError(
            "keras.applications has no weights of %s, so nothing is known of how it would prepare images" % told.name,
            "leave train.input_values at '%s'" % UNIT,
        )
    return told.prepared


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
