"""A network that tells the blobs apart, in seconds: untrained convolutions under a head solved by least squares."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from stages.contract import Step
from stages.images import ImageSet, as_floats
from stages.network import SCHEMA, VERSION, build_from

if TYPE_CHECKING:
    from pathlib import Path

RIDGE = 0.1
CONFIDENCE = 4.0


def make_trained(folder: Path, dataset: Path, model: str, size: int, kept: int = 0) -> Path:
    """Write the artifact of a train step; the last `kept` training images are its validation images."""
    images = ImageSet.read(Step("train", "train", {}, 1, {"dataset": dataset}, folder, None))
    rows = images.rows("train")
    description: dict[str, Any] = {
        "schema": SCHEMA,
        "version": VERSION,
        "model": model,
        "input_size": size,
        "classes": list(images.classes),
        "batchnorm_momentum": 0.9,
        "best_epoch": 1,
        "validation_images": [row.path for row in rows[len(rows) - kept :]],
    }
    tf.keras.utils.set_random_seed(1)
    network = build_from(description)
    _solve_head(network, as_floats(np.stack([images.load(row, size) for row in rows])), [row.label for row in rows])
    folder.mkdir(parents=True)
    network.save_weights(str(folder / "weights.h5"))
    (folder / "model.json").write_text(json.dumps(description), encoding="utf-8")
    return folder


def _solve_head(network: Any, pixels: np.ndarray, labels: list[int]) -> None:
    """Set the last layer by ridge regression on the features of the training images."""
    features = tf.keras.Model(network.input, network.layers[-1].input).predict(pixels, verbose=0)
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    scaled = (features - mean) / spread
    wanted = CONFIDENCE * (2 * np.eye(max(labels) + 1)[labels] - 1)
    kernel = scaled.T @ np.linalg.solve(scaled @ scaled.T + RIDGE * len(scaled) * np.eye(len(scaled)), wanted)
    network.layers[-1].set_weights([kernel / spread[:, None], -(mean / spread) @ kernel])
