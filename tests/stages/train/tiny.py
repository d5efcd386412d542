"""A training whose epochs take a blink, of a network with BatchNorm and Dropout: state that resuming must restore."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from stages.contract import Step
from stages.train.checkpoint import Checkpoints
from stages.train.data import Data
from stages.train.fit import Training
from stages.train.loggers import Loggers
from stages.train.settings import Settings
from stages.train.spec import SPEC
from stages.train.stream import Stream

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 16


def parameters(**values: Any) -> dict[str, Any]:
    """Give the stage's parameters: the defaults but for `values`."""
    quick = {"model": "resnet50v2", "epochs": 3, "batch": 16, "learning_rate": 1e-3, "input_size": SIZE}
    return {**{one.name: one.default for one in SPEC.parameters}, **quick, **values}


def network(classes: int = 3) -> Any:
    """Build the tiny network."""
    layers = tf.keras.layers
    inputs = layers.Input((SIZE, SIZE, 3))
    hidden = layers.Conv2D(4, 3, strides=2)(inputs)
    hidden = layers.ReLU()(layers.BatchNormalization()(hidden))
    hidden = layers.Dropout(0.3)(layers.Flatten()(hidden))
    return tf.keras.Model(inputs, layers.Dense(classes, activation="softmax")(hidden))


def step(folder: Path, dataset: Path, **values: Any) -> Step:
    """Give a step with `out` and `partial` below `folder`; what it says is in `events`."""
    out, partial = folder / "out", folder / "partial"
    out.mkdir(parents=True, exist_ok=True)
    partial.mkdir(exist_ok=True)
    return Step("train", "train", parameters(**values), 2, {"dataset": dataset}, out, partial, events=io.StringIO())


def training(folder: Path, dataset: Path, *, fingerprint: str = "this", **values: Any) -> Training:
    """Put a training of the tiny network together."""
    made = step(folder, dataset, **values)
    settings = Settings.read(made.parameters)
    data = Data.read(made, settings)
    return Training(
        step=made,
        settings=settings,
        task=data.task,
        train=Stream(data.task, data.train, SIZE, settings.batch, 2),
        validation=Stream(data.task, data.validation, SIZE, settings.batch, 2),
        checkpoints=Checkpoints(folder / "partial", fingerprint),
        loggers=Loggers(made, settings),
        make_model=network,
    )


def events(training: Training) -> list[dict[str, Any]]:
    """What the training's step has said."""
    text = training.step.events.getvalue()  # type: ignore[attr-defined]
    return [json.loads(line) for line in text.splitlines()]
