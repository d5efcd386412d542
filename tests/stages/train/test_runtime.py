"""That a training computes the same bytes each time, in processes of their own: TensorFlow is set up once in each."""

from __future__ import annotations

import subprocess
import sys

BRANCHES = """
import numpy as np
from stages.train import runtime
runtime.configure("cpu", 2, 1)
import tensorflow as tf

draw = np.random.default_rng(1)
blocks = [[tf.Variable(draw.normal(0, 0.5, (1, 1, 8, 2)), dtype=tf.float32) for _ in range(4)] for _ in range(8)]
images = tf.constant(draw.normal(size=(96, 96, 96, 8)), tf.float32)

@tf.function
def gradients(layer):
    with tf.GradientTape() as tape:
        for kernels in blocks:
            layer = tf.concat([tf.nn.conv2d(layer, kernel, 1, "SAME") for kernel in kernels], -1)
        loss = tf.reduce_mean(tf.square(layer))
    return tape.gradient(loss, [kernel for kernels in blocks for kernel in kernels])

print(*{b"".join(one.numpy().tobytes() for one in gradients(images)).hex() for _ in range(8)}, sep="\\n")
"""


def test_gradients_of_parallel_branches_are_added_in_one_order_however_much_memory_they_take() -> None:
    told = [_run() for _ in range(2)]
    assert len(told[0].split()) == 1
    assert told[0] == told[1]


def _run() -> str:
    words = [sys.executable, "-W", "ignore", "-c", BRANCHES]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, timeout=300).stdout
