"""keras-gpu: the Keras model in TensorFlow on the first GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from stages.benchmark.keras_network import open_keras
from stages.contract import InputError

if TYPE_CHECKING:
    from stages.benchmark.runtime import Runtime
    from stages.contract import Step

LARGEST_BATCH = 1024  # the memory of most GPUs ends before


def open_runtime(step: Step) -> Runtime:
    """Load the model onto the GPU; one GPU is one worker.

    Raises:
        InputError: TensorFlow sees no GPU.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        raise InputError("TensorFlow sees no GPU in this image", "run without --gpus, or see what `nvidia-smi` says")
    tf.config.experimental.set_memory_growth(gpus[0], enable=True)
    # TensorFloat-32 keeps 10 bits of mantissa: the record says float32 and so it is.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    name = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    return open_keras(step, "/GPU:0", 1, {"gpu": name}, LARGEST_BATCH)
