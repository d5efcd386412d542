"""The Keras model in TensorFlow, as keras-cpu and keras-gpu measure it.

On the CPU every operator runs on the threads asked for, which TensorFlow fixes once a process. Accuracy and throughput
keep the cores busy with several batches at a time instead: the same predictions on any number of cores.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List

import numpy as np
import tensorflow as tf

from stages.benchmark.latency import NS_PER_MS
from stages.benchmark.runtime import Runtime, TooLargeError
from stages.images import Pixels, as_floats
from stages.trained import load_trained

if TYPE_CHECKING:
    from stages.benchmark.runtime import Probabilities
    from stages.contract import Step

BATCH = 32
# What TensorFlow says where the memory of a GPU ends: the library that it calls fails, or has no algorithm left. Of a
# batch of one image these are faults of another kind; of a larger one, since smaller ones fitted, they are not.
FULL = tf.errors.ResourceExhaustedError
FULL_PERHAPS = (FULL, tf.errors.NotFoundError, tf.errors.InternalError, tf.errors.UnknownError)
TIMED = "one call of the traced model until its output is in memory; the input is a tensor on the device"


def open_keras(step: Step, device: str, workers: int, facts: Dict[str, Any], largest_batch: int = BATCH) -> Runtime:
    """Load the trained model onto a device, for at most `workers` batches at a time."""
    begin = time.perf_counter_ns()
    with tf.device(device):
        model, description = load_trained(step.inputs["model"])
    size = int(description["input_size"])
    load_ms = (time.perf_counter_ns() - begin) / NS_PER_MS
    function = tf.function(
        lambda pixels: model(pixels, training=False), input_signature=[tf.TensorSpec([None, size, size, 3], tf.float32)]
    )

    def predict(images: Pixels) -> Probabilities:
        with tf.device(device):
            return np.asarray(function(tf.constant(as_floats(images))).numpy())

    def in_batches(image: Pixels, size: int) -> List[Callable[[], object]]:
        return [batch_of(function, device, image, size)] * workers

    return Runtime(
        classes=list(description["classes"]),
        input_size=size,
        load_ms=load_ms,
        timed=TIMED,
        single=lambda image: _single(model, size, device, image),
        workers=[predict] * workers,
        batch=BATCH,
        facts={"tensorflow": tf.__version__, "kernels": "TensorFlow", **facts},
        in_batches=in_batches,
        largest_batch=largest_batch,
    )


def _single(model: Any, size: int, device: str, image: Pixels) -> Callable[[], object]:
    """Trace the model for one image, and put that image on the device."""
    with tf.device(device):
        spec = tf.TensorSpec([1, size, size, 3], tf.float32)
        function = tf.function(lambda pixels: model(pixels, training=False)).get_concrete_function(spec)
        pixels = tf.identity(tf.constant(as_floats(image)[np.newaxis]))

    def infer() -> object:
        return function(pixels).numpy()

    return infer


def batch_of(function: Callable[[Any], Any], device: str, image: Pixels, size: int) -> Callable[[], object]:
    """Put an image on the device as often as asked for; it is repeated there, since what it shows takes no time.

    Sizes are tried from one image on, each only when the last one fitted.
    """
    full = FULL if size == 1 else FULL_PERHAPS
    try:
        with tf.device(device):
            pixels = tf.repeat(tf.constant(as_floats(image)[np.newaxis]), size, axis=0)
    except full as error:
        raise TooLargeError from error

    def infer() -> object:
        try:
            return function(pixels).numpy()
        except full as error:
            raise TooLargeError from error

    return infer
