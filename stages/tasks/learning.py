"""What a network that finds pixels loses by its answers, for TensorFlow.

Where 1 % of the pixels are sought, cross-entropy alone is near its least when nothing is found, and a small network
stays there. The overlap (the soft Dice coefficient: Milletari et al., V-Net, arXiv:1606.04797) does not see the pixels
that are rightly left alone, however many there are; cross-entropy beside it keeps probabilities honest, which the
search of ranges needs, and has a gradient where there is no overlap yet. The overlap is of the whole batch: an image
without a sought pixel has none of its own.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

ONE_PIXEL = 1.0  # so that a batch without any sought pixel has a finite loss
LEAST = 1e-7  # keeps logarithms finite


def overlap_and_entropy(truth: Any, said: Any) -> Any:
    """Return 1 - Dice coefficient + mean cross-entropy of a batch of masks, [image, row, column, 1]."""
    both = tf.reduce_sum(truth * said)
    dice = (2.0 * both + ONE_PIXEL) / (tf.reduce_sum(truth) + tf.reduce_sum(said) + ONE_PIXEL)
    sure = tf.clip_by_value(said, LEAST, 1.0 - LEAST)
    entropy = -tf.reduce_mean(truth * tf.math.log(sure) + (1.0 - truth) * tf.math.log(1.0 - sure))
    return 1.0 - dice + entropy


def intersection_over_union(threshold: float, name: str) -> Any:
    """Return a Keras metric: IoU of all pixels of an epoch whose probability is at least `threshold`."""
    return tf.keras.metrics.BinaryIoU(target_class_ids=[1], threshold=threshold, name=name)
