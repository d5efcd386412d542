"""Which operators compiler 16 takes onto the Edge TPU when nothing stands in their way, and why not the others.

The table and its sources are in operators.json. A rule that is only known in part says what it does not know in
`doubts`, and does not refuse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Dict, Optional

from stages.edgetpu.knowledge import operators
from stages.edgetpu.site import Site, elements

if TYPE_CHECKING:
    from stages.tflite.model import Tensor

EIGHT_BITS = ("int8", "uint8")
WITH_WEIGHTS = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1, "PRELU": 1}
DIMENSIONS = {"CONV_2D": 4, "DEPTHWISE_CONV_2D": 4, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 4}  # of the weights
WITH_STATE = ("UNIDIRECTIONAL_SEQUENCE_LSTM",)  # its cell state has 16 bits

# What the compiler writes into its own table for a refusal of this kind.
UNSUPPORTED = "Operation not supported"
WRONG_TYPE = "Operation is working on an unsupported data type"
WRONG_RANK = "Tensor has unsupported rank (up to 3 innermost dimensions mapped)"
WRONG_STRIDE = "Only Strided-Slice with unitary strides supported"
LIMITED = "Operation is otherwise supported, but not mapped due to some unspecified limitation"


@dataclass(frozen=True)
class Refusal:
    """Why an operator stays on the CPU: the compiler's status, the reason in our words, and what to change."""

    status: str
    reason: str
    advice: str


Rule = Callable[[Site], Optional[Refusal]]


def refusal(site: Site) -> Optional[Refusal]:
    """Find the reason for which this operator is not mapped for its own sake; None when it is mapped."""
    for rule in (_types, _known, _weights, _rank, RULES.get(site.name)):
        found = rule(site) if rule else None
        if found:
            return found
    return None


def _known(site: Site) -> Optional[Refusal]:
    if not site.operator.is_custom and "runtime" in operators()["operators"].get(site.name, {}):
        return None
    what = "custom operators" if site.operator.is_custom else site.name
    return Refusal(UNSUPPORTED, "the Edge TPU has no %s" % what, advice(site.name))


def advice(name: str) -> str:
    """Say what to use in place of an operator."""
    return str(operators()["advice"].get(name, "cut the network before it, or replace the layer"))


def doubt(site: Site) -> Optional[str]:
    """Say what is not known about an operator that is taken for mapped, or None."""
    factor = _factor(site)
    if factor > operators()["limits"]["resize_factor_mapped"]:
        return "it is not known whether compiler 16 maps %s by a factor of %.3g" % (site.name, factor)
    size = site.outputs[0].shape[-1] if site.name == "SOFTMAX" and site.outputs and site.outputs[0].shape else 0
    if size > operators()["limits"]["softmax_elements_mapped"]:
        return "it is not known whether compiler 16 maps SOFTMAX over %d elements" % size
    largest = operators()["largest_mapped"].get(site.name)
    values = max((elements(tensor.shape) for tensor in (*site.computed, *site.outputs)), default=0)
    if largest is not None and values > largest:
        text = "large %s are sometimes refused: %d elements, at most %d are known to be mapped"
        return text % (site.name, values, largest)
    return None


def _types(site: Site) -> Optional[Refusal]:
    allowed = (*EIGHT_BITS, "int16") if site.name in WITH_STATE else EIGHT_BITS
    for tensor in (*site.computed, *site.outputs):
        if tensor.dtype not in allowed:
            return Refusal(
                WRONG_TYPE if site.name != "QUANTIZE" else LIMITED,
                "tensor %r is %s, expected int8 or uint8" % (tensor.name, tensor.dtype),
                operators()["advice"].get(site.name)
                or "convert all tensors to 8 bits, inputs and outputs too, or keep this operator on the CPU",
            )
        if not tensor.scales and not tensor.is_variable:
            return Refusal(WRONG_TYPE, "tensor %r has no quantisation" % tensor.name, "convert all tensors to 8 bits")
    return None


def _weights(site: Site) -> Optional[Refusal]:
    weights = site.input(WITH_WEIGHTS[site.name]) if site.name in WITH_WEIGHTS else None
    if weights is None:
        return None
    if not weights.is_constant:
        return Refusal(LIMITED, "weights %r are computed, not constant" % weights.name, "store the weights in the file")
    if len(weights.shape) != DIMENSIONS.get(site.name, len(weights.shape)):
        reason = "weights %r have %d dimensions" % (weights.name, len(weights.shape))
        return Refusal(WRONG_RANK, reason, "convert the network again")
    if weights.dtype not in EIGHT_BITS:
        reason = "weights %r are %s, expected int8 or uint8" % (weights.name, weights.dtype)
        return Refusal(WRONG_TYPE, reason, "convert with 8-bit weights, such as by ptq-int8")
    return None


def _rank(site: Site) -> Optional[Refusal]:
    innermost = operators()["limits"]["innermost_dimensions"]
    for tensor in (*site.computed, *site.outputs):
        if any(size > 1 for size in tensor.shape[:-innermost]):
            shape = "x".join(map(str, tensor.shape))
            batch = len(tensor.shape) == innermost + 1
            return Refusal(
                WRONG_RANK,
                "tensor %r is %s, only the three innermost dimensions may exceed 1" % (tensor.name, shape),
                "convert with a batch of exactly one image" if batch else "use tensors of three dimensions and a batch",
            )
    return None


def _no_activation(site: Site) -> Optional[Refusal]:
    if site.options.get("fused_activation"):
        return Refusal(LIMITED, "it has a fused activation", "put the activation into an operator of its own")
    return None


def _same_dilation(site: Site) -> Optional[Refusal]:
    x, y = site.options["dilation_x"], site.options["dilation_y"]
    if x != y:
        return Refusal(LIMITED, "its dilation is %d in x and %d in y" % (x, y), "use the same dilation in x and y")
    return None


def _concatenation(site: Site) -> Optional[Refusal]:
    constants = [tensor for tensor in site.inputs if tensor is not None and tensor.is_constant]
    if constants and (len(site.inputs) != 2 or not all(_is_zero(site, constant) for constant in constants)):
        return Refusal(LIMITED, "a constant input that is not zero, or more than two inputs", "pad in its place")
    return _no_activation(site)


def _fully_connected(site: Site) -> Optional[Refusal]:
    if site.options["weights_format"]:
        return Refusal(LIMITED, "its weights are shuffled", "convert with the default weights format")
    shape = site.outputs[0].shape if site.outputs else ()
    if elements(shape[:-1]) > 1:
        reason = "its output is %s, expected one dimension" % "x".join(map(str, shape))
        return Refusal(LIMITED, reason, "use a convolution of 1x1 in its place")
    return None


def _reduction(site: Site) -> Optional[Refusal]:
    source, axes = site.input(0), site.integers(1)
    if source is None or axes is None:
        return Refusal(LIMITED, "its axes are computed, not constant", "store the axes in the file")
    rank = len(source.shape)
    places = {axis % rank for axis in axes if rank}
    if rank > 3 and 0 in places:
        return Refusal(LIMITED, "it reduces the batch", "reduce x, y or channels only")
    multiple = operators()["limits"]["channels_multiple_when_reduced"]
    if site.name == "MEAN" and rank - 1 in places and source.shape[-1] % multiple:
        reason = "it reduces %d channels" % source.shape[-1]
        return Refusal(LIMITED, reason, "use a number of channels that is a multiple of %d" % multiple)
    return None


def _not_along_batch(site: Site) -> Optional[Refusal]:
    rank = len(site.outputs[0].shape) if site.outputs else 0
    axis = site.options.get("axis") if site.name == "PACK" else (site.integers(0) or (-1,))[0]
    if rank > 3 and len(site.outputs) > 1 - (site.name == "PACK") and axis is not None and axis % rank == 0:
        return Refusal(LIMITED, "it works along the batch", "work along x, y or channels only")
    return None


def _pad(site: Site) -> Optional[Refusal]:
    paddings, rank = site.integers(1), len(site.outputs[0].shape) if site.outputs else 0
    if paddings is None:
        return Refusal(LIMITED, "its paddings are computed, not constant", "store the paddings in the file")
    if rank > 3 and any(paddings[:2]):
        return Refusal(LIMITED, "it pads the batch", "pad x, y or channels only")
    return None


def _prelu(site: Site) -> Optional[Refusal]:
    slopes = site.input(1)
    if slopes is not None and elements(slopes.shape[:-1]) > 1:
        return Refusal(LIMITED, "its slopes differ over x or y", "use PReLU with shared_axes=[1, 2]")
    return None


def _resize(site: Site) -> Optional[Refusal]:
    factor = _factor(site)
    if factor > operators()["limits"]["resize_factor_refused"]:
        return Refusal(LIMITED, "it enlarges by a factor of %.3g" % factor, "enlarge in steps of 2, or on the host")
    return None


def _strided_slice(site: Site) -> Optional[Refusal]:
    strides = site.integers(3)
    if strides is None or any(stride != 1 for stride in strides):
        return Refusal(WRONG_STRIDE, "its strides are not all 1", "use pooling or a convolution with strides")
    if site.options["ellipsis_mask"] or site.options["new_axis_mask"]:
        return Refusal(LIMITED, "it has an ellipsis or a new axis", "use a plain slice and a RESHAPE")
    return None


RULES: Dict[str, Rule] = {
    "AVERAGE_POOL_2D": _no_activation,
    "CONCATENATION": _concatenation,
    "CONV_2D": _same_dilation,
    "DEPTHWISE_CONV_2D": _same_dilation,
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": _no_activation,
    "MEAN": _reduction,
    "PACK": _not_along_batch,
    "PAD": _pad,
    "PRELU": _prelu,
    "REDUCE_MAX": _reduction,
    "REDUCE_MIN": _reduction,
    "RESIZE_BILINEAR": _resize,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "SPLIT": _not_along_batch,
    "STRIDED_SLICE": _strided_slice,
    "SUM": _reduction,
}


def _factor(site: Site) -> float:
    """By how much a resize enlarges, in x or y, whichever is more; 0 for other operators."""
    source, outputs = site.input(0), site.outputs
    if not site.name.startswith("RESIZE_") or source is None or not outputs:
        return 0.0
    pairs = zip(source.shape[1:3], outputs[0].shape[1:3])
    return max((after / before if before > 0 else math.inf for before, after in pairs), default=0.0)


def _is_zero(site: Site, tensor: Tensor) -> bool:
    """Whether a constant stands for nothing but zeros: its raw bytes are 0 or its zero point."""
    values = site.bytes_in(tensor)
    zero = (tensor.zero_points[0] if tensor.zero_points else 0) % 256
    return values <= {0} or values == {zero}
