"""A short fine-tune of the weights: the simulated int8 file learns to answer as the float network does.

It stays within what is done after training: it sees the calibration images alone and none of their labels, and it takes
few steps. The ranges stay as they are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from stages.convert.int8 import quantise
from stages.convert.judge import predict
from stages.convert.simulation import Simulation
from stages.convert.steps import UnsimulatedError
from stages.images import as_floats
from stages.progress import Progress
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.contract import Step
    from stages.convert.ranges import Ranges

STEPS = 60
BATCH = (2, 16)  # fewest and most images of a step
BATCH_PIXELS = 16 * 128 * 128  # of all of them: what one step keeps for its gradients grows with them
RATE = 1e-4  # of Adam, falling to nothing by a cosine; three times as much unlearns, a third is hardly felt
LEAST = 1e-7  # keeps logarithms finite
SEED = 1


def fine_tune(step: Step, flatbuffer: bytes, ranges: Ranges, pixels: NDArray[np.uint8], teacher: bytes) -> bytes:
    """Train the weights of `flatbuffer`, quantised with `ranges`, to say what the file `teacher` says of `pixels`.

    Raises:
        UnsimulatedError: the file cannot be simulated.
    """
    if read_model(flatbuffer).main.operators[-1].name != "SOFTMAX":
        raise UnsimulatedError("the network's answer is no softmax")
    simulation = Simulation(flatbuffer, quantise(flatbuffer, ranges))
    tf.config.experimental.enable_op_determinism()
    tf.random.set_seed(SEED)  # op determinism asks for one, though nothing here draws from it
    sure = predict(teacher, pixels, step.threads).astype(np.float32)
    optimiser = tf.keras.optimizers.Adam(RATE, jit_compile=False)
    optimiser.build(simulation.variables)

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def learn(images: tf.Tensor, wanted: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            said = tf.math.log(simulation(images) + LEAST)
            loss = tf.reduce_mean(tf.reduce_sum(wanted * (tf.math.log(wanted + LEAST) - said), axis=1))
        optimiser.apply_gradients(zip(tape.gradient(loss, simulation.variables), simulation.variables))

    progress = Progress(step, STEPS, "step", "fine-tuning weights")
    for number, batch in enumerate(_batches(len(pixels), pixels.shape[1])):
        optimiser.learning_rate.assign(RATE * 0.5 * (1 + math.cos(math.pi * number / STEPS)))
        learn(as_floats(pixels[batch]), sure[batch])
        progress.advance()
    return quantise(simulation.written(), ranges)


def _batches(images: int, size: int) -> NDArray[np.int64]:
    """Draw which images each step sees, [step, image]: every image once before any is seen again."""
    fewest, most = BATCH
    count = min(images, most, max(fewest, BATCH_PIXELS // size**2))
    rng = np.random.default_rng(SEED)
    rounds = -(-STEPS * count // images)
    order = np.concatenate([rng.permutation(images) for _ in range(rounds)])
    drawn: NDArray[np.int64] = order[: STEPS * count].reshape(STEPS, count)
    return drawn
