"""A student names the class of an image: it learns the teacher's probabilities, and the labels by cross-entropy."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from stages.qat.lessons import LEAST, TRUTH, Lesson
from stages.tasks.classification import divergences


def losses(sure: Any, said: Any, labels: Any) -> Any:
    """Compute KL(teacher || student) and the labels' cross-entropy, in nats."""
    logarithms = tf.math.log(said + LEAST)
    divergence = tf.reduce_sum(sure * (tf.math.log(sure + LEAST) - logarithms), axis=1)
    return divergence - TRUTH * tf.gather(logarithms, labels, axis=1, batch_dims=1)


def right(said: Any, labels: Any) -> Any:
    """Give 1 for an image whose class is named, or else 0."""
    return tf.cast(tf.equal(tf.argmax(said, axis=1, output_type=tf.int32), labels), tf.float32)


LESSON = Lesson("accuracy", divergences, losses, right)
