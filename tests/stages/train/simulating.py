"""Steps of the qat stage on a network that trains in a blink: BatchNorm that cannot be folded, depthwise, Dropout."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from stages.contract import Step
from stages.images import ImageSet
from stages.network import SCHEMA, VERSION
from stages.qat.__main__ import main
from stages.qat.spec import SPEC

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 32
FILES = ("weights.h5", "model.json", "history.csv", "metrics.json", "predictions.csv")


def small(size: int, classes: int) -> Any:
    """Build the network."""
    layers = tf.keras.layers
    entry = layers.Input((size, size, 3))
    first = layers.Conv2D(6, 3, strides=2, padding="same", name="first")(entry)
    lone = layers.ReLU(name="relu")(layers.BatchNormalization(name="lone")(first))
    second = layers.Conv2D(6, 3, padding="same", name="second")(lone)
    third = layers.BatchNormalization(name="bn")(layers.DepthwiseConv2D(3, padding="same", name="third")(second))
    pooled = layers.GlobalAveragePooling2D(name="mean")(layers.Add(name="add")([first, third]))
    dropped = layers.Dropout(0.3, name="drop")(pooled)
    return tf.keras.Model(entry, layers.Dense(classes, activation="softmax", name="head")(dropped))


def write_float(folder: Path, dataset: Path) -> Path:
    """Write the network as the train stage would leave it; it has learnt nothing."""
    folder.mkdir()
    tf.keras.utils.set_random_seed(1)
    rows = ImageSet.read(Step("", "", {}, 1, {"dataset": dataset}, folder, None)).rows("train")
    small(SIZE, 3).save_weights(str(folder / "weights.h5"))
    description = {
        "schema": SCHEMA,
        "version": VERSION,
        "model": "resnet50v2",
        "input_size": SIZE,
        "classes": ["cc_numu", "cc_nue", "nc"],
        "batchnorm_momentum": 0.0,
        "validation_images": [row.path for row in rows[::5]],
    }
    (folder / "model.json").write_text(json.dumps(description))
    return folder


def step(folder: Path, trained: Path, dataset: Path, start: Path | None = None, **values: Any) -> Step:
    """Give a step with `out` and `partial` below `folder`; what it says is in `events`."""
    quick = {"model": "resnet50v2", "recipe": "qat-int8", "batch": 8, "epochs": 2, "learning_rate": 1e-3, "images": 16}
    parameters = {**{one.name: one.default for one in SPEC.parameters}, **quick, **values}
    for name in ("out", "partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    places = {"model": trained, "dataset": dataset, **({"start": start} if start else {})}
    return Step("qat", "qat", parameters, 2, places, folder / "out", folder / "partial", events=io.StringIO())


def run(made: Step) -> None:
    """Run the stage as in a process of its own."""
    tf.keras.backend.clear_session()  # a step's process begins to number its layers at none
    main(made)


def contents(made: Step) -> dict[str, bytes]:
    """Read what the step has made."""
    return {name: (made.out / name).read_bytes() for name in FILES}


def record(made: Step) -> dict[str, Any]:
    """Read what the step says of itself."""
    told: dict[str, Any] = json.loads((made.out / "record.json").read_text())
    return told
