"""What an operator is told besides its tensors: strides, padding, axes, fused activation.

Fields are those of the option tables in tensorflow/lite/schema/schema.fbs; only what a judgement of an operator
needs is read. A missing table has the schema's defaults.
"""

from __future__ import annotations

from typing import Dict, Mapping, Optional, Tuple

from stages.tflite.flat import INT8, INT32, Table

FUSED_ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
SAME, VALID = 0, 1  # enum Padding

Fields = Mapping[str, Tuple[int, str, int]]  # name -> number of the field, kind, default

_POOL: Fields = {
    "padding": (0, INT8, 0),
    "stride_x": (1, INT32, 1),
    "stride_y": (2, INT32, 1),
    "filter_x": (3, INT32, 1),
    "filter_y": (4, INT32, 1),
    "fused_activation": (5, INT8, 0),
}
_FUSED: Fields = {"fused_activation": (0, INT8, 0)}
_RESIZE: Fields = {"align_corners": (2, INT8, 0), "half_pixel_centres": (3, INT8, 0)}

FIELDS: Mapping[str, Fields] = {
    "CONV_2D": {
        "padding": (0, INT8, 0),
        "stride_x": (1, INT32, 1),
        "stride_y": (2, INT32, 1),
        "fused_activation": (3, INT8, 0),
        "dilation_x": (4, INT32, 1),
        "dilation_y": (5, INT32, 1),
    },
    "DEPTHWISE_CONV_2D": {
        "padding": (0, INT8, 0),
        "stride_x": (1, INT32, 1),
        "stride_y": (2, INT32, 1),
        "depth_multiplier": (3, INT32, 1),
        "fused_activation": (4, INT8, 0),
        "dilation_x": (5, INT32, 1),
        "dilation_y": (6, INT32, 1),
    },
    "TRANSPOSE_CONV": {
        "padding": (0, INT8, 0),
        "stride_x": (1, INT32, 1),
        "stride_y": (2, INT32, 1),
        "fused_activation": (3, INT8, 0),
    },
    "FULLY_CONNECTED": {
        "fused_activation": (0, INT8, 0),
        "weights_format": (1, INT8, 0),
        "keep_num_dims": (2, INT8, 0),
    },
    "CONCATENATION": {"axis": (0, INT32, 0), "fused_activation": (1, INT8, 0)},
    "PACK": {"values_count": (0, INT32, 0), "axis": (1, INT32, 0)},
    "UNPACK": {"num": (0, INT32, 0), "axis": (1, INT32, 0)},
    "STRIDED_SLICE": {
        "begin_mask": (0, INT32, 0),
        "end_mask": (1, INT32, 0),
        "ellipsis_mask": (2, INT32, 0),
        "new_axis_mask": (3, INT32, 0),
        "shrink_axis_mask": (4, INT32, 0),
    },
    "MEAN": {"keep_dims": (0, INT8, 0)},
    "SUM": {"keep_dims": (0, INT8, 0)},
    "REDUCE_MAX": {"keep_dims": (0, INT8, 0)},
    "REDUCE_MIN": {"keep_dims": (0, INT8, 0)},
    "AVERAGE_POOL_2D": _POOL,
    "MAX_POOL_2D": _POOL,
    "ADD": _FUSED,
    "SUB": _FUSED,
    "MUL": _FUSED,
    "DIV": _FUSED,
    "L2_NORMALIZATION": _FUSED,
    "RESIZE_BILINEAR": _RESIZE,
    "RESIZE_NEAREST_NEIGHBOR": {"align_corners": (0, INT8, 0), "half_pixel_centres": (1, INT8, 0)},
}


def read_options(operator: str, table: Optional[Table]) -> Dict[str, int]:
    """Read the options of an operator of this name; empty for those that have none here."""
    fields = FIELDS.get(operator, {})
    if table is None:
        return {name: default for name, (_, _, default) in fields.items()}
    return {name: table.number(field, kind, default) for name, (field, kind, default) in fields.items()}
