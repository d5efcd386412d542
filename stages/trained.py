"""A trained network as the train or the qat stage left it: built from `model.json`, filled from `weights.h5`.

convert and benchmark take their Keras model from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Tuple

from stages.network import build_from, read_description
from stages.rewrite import rewrite
from stages.weights import load_weights

if TYPE_CHECKING:
    from pathlib import Path


def load_trained(folder: Path) -> Tuple[Any, Dict[str, Any]]:
    """Load the trained model of a train artifact, ready to predict, with the contents of its `model.json`.

    Inputs of the model are float32 in [0, 1], outputs those of its task (stages/tasks).

    Raises:
        InputError: the artifact is damaged, or its model is not one that this version knows.
    """
    description = read_description(folder / "model.json")
    model = build_from(description)
    if description.get("rewritten"):
        model, _ = rewrite(model)
    load_weights(model, folder / "weights.h5", "weights.h5 of the trained %s" % description["model"])
    return model, description
