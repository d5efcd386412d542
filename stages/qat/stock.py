"""A network that simulates int8 as TFMOT does it by itself, with convolutions and dense layers annotated and no others.

BatchNorm, ReLU, pooling and padding are left out. Activation ranges begin at -6 and 6 and move by a thousandth with
each batch, and a depthwise kernel has one scale for all its channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf
import tensorflow_model_optimization as tfmot

from stages.contract import InputError
from stages.network import build_from, read_description
from stages.weights import load_weights

if TYPE_CHECKING:
    from pathlib import Path

ANNOTATED = ("Conv2D", "DepthwiseConv2D", "Dense")
DESCRIBED = {"quantised": "tfmot"}  # in model.json: weights.h5 is of the simulating network, not of the float one


def simulated(model: Any) -> Any:
    """Make the simulating network with the weights of a float one, which stays as it is."""
    annotated = tf.keras.models.clone_model(model, clone_function=_annotated)
    annotated.set_weights(model.get_weights())
    with tfmot.quantization.keras.quantize_scope():
        network = tfmot.quantization.keras.quantize_apply(annotated)
    for layer in network.layers:
        _forget_step(layer)
    return network


def load_simulated(folder: Path) -> Any:
    """Build the simulating network of a qat artifact and fill it.

    Raises:
        InputError: the artifact is damaged, or holds a network of another kind.
    """
    description = read_description(folder / "model.json")
    if description.get("quantised") != DESCRIBED["quantised"]:
        raise InputError("model.json is not that of a network with quantised layers", "make the qat step again")
    network = simulated(build_from(description))
    load_weights(network, folder / "weights.h5", "weights.h5 of the trained %s" % description["model"])
    return network


def _annotated(layer: Any) -> Any:
    clone = type(layer).from_config(layer.get_config())
    if type(layer).__name__ not in ANNOTATED:
        return clone
    return tfmot.quantization.keras.quantize_annotate_layer(clone)


def _forget_step(layer: Any) -> None:
    """Leave out of what is saved TFMOT's count of steps, a whole number that nothing reads: weights are floats."""
    step = getattr(layer, "optimizer_step", None)
    if step is not None:
        variables = layer._non_trainable_weights  # noqa: SLF001 - no public way
        variables[:] = [variable for variable in variables if variable is not step]
