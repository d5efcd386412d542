"""Rewrites 1x1 convolutions as the dense layers that they are: runtimes have 4-bit kernels for those alone.

A convolution with a kernel of one place, taken at every place, multiplies each place's channels by one matrix. So does
FULLY_CONNECTED with `keep_num_dims`, with the same weights in the same order, bias and fused activation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List

from tensorflow.lite.python import schema_py_generated as schema

from stages.convert.constants import KERNEL
from stages.tflite.names import OPERATORS

if TYPE_CHECKING:
    from stages.tflite.model import Model, Operator

DENSE = OPERATORS.index("FULLY_CONNECTED")
# Source: tensorflow/lite/tools/versioning/op_version.cc. FULLY_CONNECTED: `keep_num_dims` is of version 5, two inputs
# instead of three are of version 6. CONV_2D: weights of four bits are of version 7.
WITH_BIAS, WITHOUT_BIAS = 5, 6
CONVOLUTION, FOUR_BITS = OPERATORS.index("CONV_2D"), 7


def pointwise(model: Model) -> List[int]:
    """Find the places of all 1x1 convolutions of stride 1 whose weights the file holds."""
    return [place for place, operator in enumerate(model.main.operators) if _is_pointwise(model, operator)]


def _is_pointwise(model: Model, operator: Operator) -> bool:
    if operator.name != "CONV_2D" or operator.options["stride_x"] != 1 or operator.options["stride_y"] != 1:
        return False
    kernel = model.main.tensors[operator.inputs[KERNEL]]
    entry = model.main.tensors[operator.inputs[0]]
    grouped = len(entry.shape) != 4 or len(kernel.shape) != 4 or entry.shape[3] != kernel.shape[3]
    return kernel.is_constant and not grouped and kernel.shape[1:3] == (1, 1)


def as_dense(model: Any, operator: Any) -> None:
    """Make a 1x1 convolution of a file in object form FULLY_CONNECTED; its kernel must be its own (`own_buffer`)."""
    kernel = model.subgraphs[0].tensors[int(operator.inputs[KERNEL])]
    outputs, _, _, inputs = (int(edge) for edge in kernel.shape)
    kernel.shape, kernel.shapeSignature = [outputs, inputs], None
    told = schema.FullyConnectedOptionsT()
    told.fusedActivationFunction, told.keepNumDims = operator.builtinOptions.fusedActivationFunction, True
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.FullyConnectedOptions, told
    has_bias = len(operator.inputs) > 2 and int(operator.inputs[2]) >= 0
    operator.opcodeIndex = _code(model, DENSE, WITH_BIAS if has_bias else WITHOUT_BIAS)


def as_four_bits(model: Any, operator: Any) -> None:
    """Make a convolution of a file in object form one whose weights have four bits."""
    operator.opcodeIndex = _code(model, CONVOLUTION, FOUR_BITS)


def _code(model: Any, operator: int, version: int) -> int:
    """Find the code of an operator in this version, a new one where there is none."""
    for place, code in enumerate(model.operatorCodes):
        if code.builtinCode == operator and code.version == version:
            return place
    made = schema.OperatorCodeT()
    made.builtinCode = made.deprecatedBuiltinCode = operator
    made.version = version
    model.operatorCodes.append(made)
    return len(model.operatorCodes) - 1
