"""A student finds pixels: the divergence from the teacher's answer for each pixel, and the overlap with the truth.

Where few pixels are sought, the mean divergence is nearly as small when nothing is found, as cross-entropy is in the
float training; so what the truth adds is that training's own loss, whose overlap does not see what is left alone.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from stages.qat.lessons import LEAST, TRUTH, Lesson
from stages.tasks.learning import overlap_and_entropy
from stages.tasks.segmentation import THRESHOLD, divergences

PIXELS = (1, 2, 3)  # axes of an answer, [image, row, column, 1]


def losses(sure: Any, said: Any, masks: Any) -> Any:
    """Compute KL(teacher || student), mean over pixels, in nats, and the loss of the float training, of the batch."""
    found, left = tf.clip_by_value(said, LEAST, 1 - LEAST), tf.clip_by_value(1 - said, LEAST, 1 - LEAST)
    ours, others = tf.clip_by_value(sure, LEAST, 1 - LEAST), tf.clip_by_value(1 - sure, LEAST, 1 - LEAST)
    divergence = ours * tf.math.log(ours / found) + others * tf.math.log(others / left)
    return tf.reduce_mean(divergence, axis=PIXELS) + TRUTH * overlap_and_entropy(masks, said)


def right(said: Any, masks: Any) -> Any:
    """Give the intersection over union of each image; 1 where nothing is sought and nothing found."""
    found, sought = said >= THRESHOLD, masks > 0
    both, either = (_count(one) for one in (found & sought, found | sought))
    return tf.where(either > 0, both / tf.maximum(either, 1), 1.0)


def _count(pixels: Any) -> Any:
    return tf.reduce_sum(tf.cast(pixels, tf.float32), axis=PIXELS)


LESSON = Lesson("iou", divergences, losses, right)
