"""A Keras network and the operators that its float TFLite file has of it: the same weights in two forms.

In the file BatchNorm is folded into the convolution before it. What is learnt there goes back into the Keras layers
with BatchNorm as a plain shift, so that the weights can be kept, taken up and converted like any others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.convert.simulation import Weighted

TOLERANCE = 1e-4  # relative to the largest weight: the converter folds in another order

# From the layout of Keras to that of TFLite, by the operator's name.
LAYOUTS: Dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "CONV_2D": lambda kernel: kernel.transpose(3, 0, 1, 2),
    "DEPTHWISE_CONV_2D": lambda kernel: kernel.reshape(1, *kernel.shape[:2], -1),
    "FULLY_CONNECTED": lambda kernel: kernel.T,
}
KINDS = {"Conv2D": "CONV_2D", "DepthwiseConv2D": "DEPTHWISE_CONV_2D", "Dense": "FULLY_CONNECTED"}


class UnpairedError(Exception):
    """The layers and the operators are not one to one."""


@dataclass(frozen=True)
class Pair:
    """A layer with the BatchNorm that is folded into it, if one is, and the operator that the file has of both."""

    layer: Any
    norm: Optional[Any]
    operator: Weighted

    @property
    def learnt(self) -> List[Any]:
        """The operator's variables that are trained and have a place in Keras: a layer without bias gets none."""
        if not self.layer.trainable:  # the one that prepares images (stages/preparation.py)
            return []
        keeps_bias = self.operator.bias is not None and (self.norm is not None or self.layer.use_bias)
        return [self.operator.kernel, *([self.operator.bias] if keeps_bias else [])]

    def take(self) -> None:
        """Copy from Keras into the operator."""
        for variable, value in zip(self.learnt, folded(self.layer, self.norm)):
            variable.assign(value)

    def give(self) -> None:
        """Copy from the operator into Keras; a BatchNorm then only adds the bias."""
        keras = _kernel(self.layer)
        keras.assign(_from_layout(self.operator.name, self.operator.kernel.numpy(), tuple(keras.shape)))
        for bias in self.learnt[1:]:
            if self.norm is None:
                self.layer.bias.assign(bias)
            else:
                _shift_by(self.norm, bias.numpy())
                if self.layer.use_bias:
                    self.layer.bias.assign(np.zeros(bias.shape, np.float32))


def pairs(model: Any, operators: List[Weighted]) -> List[Pair]:
    """Find the layer of each operator: by its weights, and by name where several have the same.

    Raises:
        UnpairedError: an operator or a layer is left over.
    """
    left = [(layer, norm, folded(layer, norm)) for layer, norm in _layers(model)]
    found = []
    for operator in operators:
        alike = [one for one in left if _same(one[0], one[2], operator)]
        if not alike:
            raise UnpairedError("no layer has the weights of %s" % operator.makes)
        words = re.split("[/;]", operator.makes)
        chosen = next((one for one in alike if one[0].name in words), alike[0])
        left.remove(chosen)
        found.append(Pair(chosen[0], chosen[1], operator))
    if left:
        raise UnpairedError("no operator has the weights of the layer %s" % left[0][0].name)
    return found


def folded(layer: Any, norm: Optional[Any]) -> Tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute kernel and bias of a layer in TFLite's layout, with its BatchNorm folded in."""
    kernel = LAYOUTS[KINDS[type(layer).__name__]](_kernel(layer).numpy())
    bias = layer.bias.numpy() if layer.use_bias else np.zeros(_channels(layer, kernel), np.float32)
    if norm is None:
        return kernel, bias
    factor = (norm.gamma.numpy() if norm.gamma is not None else np.float32(1)) / _deviation(norm)
    shift = norm.beta.numpy() if norm.center else np.float32(0)
    along = factor if type(layer).__name__ == "DepthwiseConv2D" else factor.reshape(-1, *[1] * (kernel.ndim - 1))
    return kernel * along, shift + (bias - norm.moving_mean.numpy()) * factor


def _shift_by(norm: Any, bias: NDArray[np.float32]) -> None:
    """Make a BatchNorm add `bias` and do nothing else."""
    nothing = np.zeros(bias.shape, np.float32)
    if norm.gamma is None:
        norm.moving_variance.assign(nothing + np.float32(1 - norm.epsilon))
    else:
        norm.gamma.assign(_deviation(norm))
    norm.moving_mean.assign(nothing if norm.center else -bias)
    if norm.center:
        norm.beta.assign(bias)


def _layers(model: Any) -> List[Tuple[Any, Optional[Any]]]:
    return [(layer, _norm(layer)) for layer in model.layers if type(layer).__name__ in KINDS]


def _norm(layer: Any) -> Optional[Any]:
    """Find the BatchNorm that the converter folds into a layer: its only reader, with nothing in between."""
    readers = [node.outbound_layer for node in layer.outbound_nodes]
    if len(readers) != 1 or layer.get_config()["activation"] != "linear":
        return None
    return readers[0] if type(readers[0]).__name__ == "BatchNormalization" else None


def _same(layer: Any, weights: Tuple[NDArray[np.float32], NDArray[np.float32]], operator: Weighted) -> bool:
    if KINDS[type(layer).__name__] != operator.name or weights[0].shape != tuple(operator.kernel.shape):
        return False
    values = ((operator.kernel, weights[0]), (operator.bias, weights[1]))
    return all(one is None or _near(one.numpy(), other) for one, other in values)


def _near(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    return bool(np.abs(one - other).max() <= TOLERANCE * max(float(np.abs(other).max()), 1e-6))


def _kernel(layer: Any) -> Any:
    return layer.depthwise_kernel if type(layer).__name__ == "DepthwiseConv2D" else layer.kernel


def _channels(layer: Any, kernel: NDArray[np.float32]) -> int:
    return int(kernel.shape[-1] if type(layer).__name__ == "DepthwiseConv2D" else kernel.shape[0])


def _deviation(norm: Any) -> NDArray[np.float32]:
    """Compute what BatchNorm divides by; with this as gamma the factor is exactly 1."""
    found: NDArray[np.float32] = np.sqrt(norm.moving_variance.numpy() + np.float32(norm.epsilon))
    return found


def _from_layout(name: str, values: NDArray[np.float32], shape: Tuple[int, ...]) -> NDArray[np.float32]:
    if name == "CONV_2D":
        return values.transpose(1, 2, 3, 0)
    return values.reshape(shape) if name == "DEPTHWISE_CONV_2D" else values.T
