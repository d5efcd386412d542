"""How many bytes the parameters of a file take on the Edge TPU, before it is compiled.

The array computes groups of outputs, so weights are padded to whole groups, and each output carries constants of its
own. The layout was read off the parameters of compiled files of google-coral/test_data, in which the weights of the
uncompiled ones were searched, and agrees with what ricardodeazambuja/LibrEdgeTPU found for fully-connected layers.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Set

from stages.edgetpu.knowledge import read
from stages.edgetpu.site import Site, elements
from stages.edgetpu.support import WITH_WEIGHTS

if TYPE_CHECKING:
    from stages.tflite.model import Tensor

UNCOUNTED = ("UNIDIRECTIONAL_SEQUENCE_LSTM",)  # its layout is not known
MOST_WARNINGS = 5
GROUP = 64  # outputs that the array computes together
PART = 16  # less than a group is padded to parts of it
INPUT_PART = 4  # weights of so many input channels stand together
TAP_BYTES = 4  # a weight of a depthwise convolution
PER_TENSOR, PER_CHANNEL, PER_CHANNEL_MATRIX = 4, 12, 8  # bytes of constants for each output: bias, multipliers
SOFTMAX_BYTES = {"uint8": (0, 48), "int8": (64, 0)}  # in all and for each class; 1,001 uint8 classes take 48,256


def layer_bytes(site: Site) -> int:
    """Compute the bytes of one operator's parameters in the chip's layout; 0 when it has none."""
    if site.name == "SOFTMAX" and site.outputs and site.outputs[0].shape:
        fixed, each = SOFTMAX_BYTES.get(site.outputs[0].dtype, (0, 0))
        return fixed + each * _up(site.outputs[0].shape[-1], PART)
    weights = _weights(site)
    if weights is None or not weights.shape:
        return 0
    constants = PER_CHANNEL if len(weights.scales) > 1 else PER_TENSOR
    if site.name == "DEPTHWISE_CONV_2D":
        return _up(weights.shape[-1], PART) * (TAP_BYTES * elements(weights.shape[:-1]) + constants)
    if site.name == "FULLY_CONNECTED" and constants == PER_CHANNEL:
        constants = PER_CHANNEL_MATRIX
    outputs, inputs, taps = weights.shape[0], weights.shape[-1], elements(weights.shape[1:-1])
    return _up(outputs, PART if outputs <= GROUP else GROUP) * (taps * _up(inputs, INPUT_PART) + constants)


def summary(found: Sequence[Site], mapped: Set[int]) -> Dict[str, Any]:
    """Compare the parameters of the mapped operators with the room on the chip, of which only bounds are known.

    `fits` is None where the room may suffice or not: program and activations take a part of it.
    """
    needed = sum(layer_bytes(site) for site in found if site.index in mapped)
    low, high = int(read("latency")["cache_bytes"]["value"]), int(read("chip")["parameter_bytes"]["value"])
    fits = True if needed <= low else (False if needed > high else None)
    return {"bytes": needed, "on_chip_bytes": {"low": low, "high": high}, "fits": fits}


def warnings(found: Sequence[Site]) -> List[str]:
    """Warn of parameters that are not counted, of weights that are all zero, and of layers that share theirs."""
    told = ["the weights of %s (operator %d) are not counted" % (s.name, s.index) for s in found if s.name in UNCOUNTED]
    empty = [site for site in found for weights in (_weights(site),) if weights and site.bytes_in(weights) <= {0}]
    told += ["the weights of operator %d are all zero: the compiler may fail without a reason" % s.index for s in empty]
    return told[:MOST_WARNINGS] + _shared_weights(found)


def _shared_weights(found: Sequence[Site]) -> List[str]:
    """Find two layers with the same weights, which gave wrong results (google-coral/edgetpu issue 332)."""
    digests: Dict[int, str] = {}
    seen: Dict[str, Site] = {}
    for site in found:
        weights = _weights(site)
        if weights is None or len(weights.data) < GROUP:
            continue
        if weights.buffer not in digests:
            digests[weights.buffer] = hashlib.sha256(weights.data).hexdigest()
        other = seen.setdefault(digests[weights.buffer], site)
        if other is not site:
            return [
                "operators %d and %d have equal weights: compiled files with shared weights may compute wrongly"
                % (other.index, site.index)
            ]
    return []


def _weights(site: Site) -> Optional[Tensor]:
    """Find the constant weights of an operator that has such."""
    weights = site.input(WITH_WEIGHTS[site.name]) if site.name in WITH_WEIGHTS else None
    return weights if weights is not None and weights.is_constant else None


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
