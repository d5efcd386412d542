"""Quantise a float flatbuffer with ranges that we wrote into it, by the converter's own MLIR quantiser.

Writing the ranges ourselves instead of letting the converter calibrate forces the input's range to exactly [0, 1],
leaves no activation without a range (each such would become an island of float) and lets any rule choose them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.tools import flatbuffer_utils

from stages.convert.varied import vary
from stages.tflite.model import float_tensors, read_model

if TYPE_CHECKING:
    from stages.convert.ranges import Ranges

IMAGE_RANGE = (0.0, 1.0)  # scale 1/255, zero point 0: the bytes of an image go in as they are


def quantise(flatbuffer: bytes, ranges: Ranges) -> bytes:
    """Full int8 with uint8 input and output, a scale for each channel of the weights.

    Raises:
        RuntimeError: a float tensor is left, so a range was missing.
    """
    ranged = write_ranges(flatbuffer, ranges)
    content = vary(bytes(mlir_quantize(ranged, input_data_type=tf.uint8, output_data_type=tf.uint8)))
    left = float_tensors(read_model(content))
    if left:
        raise RuntimeError("%d float tensors are left after full quantisation: %s" % (len(left), ", ".join(left[:3])))
    return content


def write_ranges(flatbuffer: bytes, ranges: Ranges) -> bytes:
    """Write `ranges` by tensor index into the flatbuffer, and [0, 1] for its input whatever `ranges` says of it.

    What was never anything but zero gets [0, 1] as well: a scale of zero ends the whole process in the quantiser.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(flatbuffer))
    graph = model.subgraphs[0]
    for index, (low, high) in {**ranges, graph.inputs[0]: IMAGE_RANGE}.items():
        quantisation = schema.QuantizationParametersT()
        quantisation.min, quantisation.max = [low], [high if low or high else 1.0]
        graph.tensors[index].quantization = quantisation
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
