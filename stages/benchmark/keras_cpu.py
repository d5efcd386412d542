"""keras-cpu: the Keras model in TensorFlow on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from stages.benchmark.keras_network import open_keras

if TYPE_CHECKING:
    from stages.benchmark.runtime import Runtime
    from stages.contract import Step


def open_runtime(step: Step) -> Runtime:
    """Load the model with as many threads inside an operator as the step asks for, whatever GPU there is."""
    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(step.parameters["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(max(1, step.threads))
    return open_keras(step, "/CPU:0", max(1, step.threads), {})
