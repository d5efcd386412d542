"""TensorFlow set up so that the same step makes the same bytes, within the threads and the device it was given."""

from __future__ import annotations

import random
import resource
from importlib.metadata import version
from typing import Any, Dict

import numpy as np
import tensorflow as tf

from stages.contract import InputError


def configure(device: str, threads: int, seed: int) -> None:
    """Fix threads, device, determinism and seeds; call once, before any other use of TensorFlow.

    Raises:
        InputError: a GPU was asked for and TensorFlow sees none.
    """
    _keep_sums_in_order()
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    _choose(device)
    tf.config.experimental.enable_op_determinism()
    # Dropout then keeps its state in variables, which `reseed` can set: legacy ops hide theirs in their kernels.
    tf.keras.backend.experimental.enable_tf_random_generator()
    tf.keras.utils.set_random_seed(seed)  # Python, NumPy and TensorFlow


def reseed(model: Any, seed: int, epoch: int) -> None:
    """Give an epoch its own randomness, whatever ran before it: a resumed training continues with the same numbers."""
    stream = int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
    random.seed(stream)
    np.random.seed(stream)  # noqa: NPY002 - Keras itself draws from the global generator
    for position, layer in enumerate(model.layers):
        randomness = getattr(layer, "_random_generator", None)
        generator = getattr(randomness, "_generator", None)
        if generator is not None:
            generator.reset_from_seed(stream + position)


def facts() -> Dict[str, Any]:
    """Say what this process ran on and how much memory it took at most."""
    return {
        **versions(),
        "gpus": [tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in _gpus()],
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def versions() -> Dict[str, str]:
    """Name the libraries that the numbers depend on."""
    return {"tensorflow": tf.__version__, "keras": version("keras"), "numpy": np.__version__}


def _keep_sums_in_order() -> None:
    """Switch off what op determinism does not see: Grappler saves memory at the cost of the order of additions.

    Where it expects a function to hold more than 80 % of the 256 MiB that TensorFlow takes for a processor's memory, it
    turns sums of three tensors or more, such as the gradients of parallel branches, into additions in the order in
    which they are ready (SchedulingPass in tensorflow/core/grappler/optimizers/memory_optimizer.cc).
    """
    from tensorflow.python.eager import context  # no public name in TensorFlow 2.15 chooses this one pass

    options = tf.compat.v1.ConfigProto()
    rewriting = options.graph_options.rewrite_options
    rewriting.memory_optimization = rewriting.NO_MEM_OPT
    context.context()._config = options  # noqa: SLF001


def _gpus() -> Any:
    return tf.config.get_visible_devices("GPU")


def _choose(device: str) -> None:
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
        return
    if not _gpus():
        raise InputError("TensorFlow sees no GPU in this image", "run without --gpus, or see what `nvidia-smi` says")
    # TensorFloat-32 keeps 10 bits of mantissa: the record says float32 and so it is.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    for gpu in _gpus():
        tf.config.experimental.set_memory_growth(gpu, True)
