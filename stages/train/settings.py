"""The parameters of a training, read once from the step and passed down."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Mapping

from stages.contract import InputError
from stages.models import load_models


@dataclass(frozen=True)
class Limits:
    """What a schedule and its progress must know of a training, whichever stage it is of."""

    stage: ClassVar[str]
    model: str
    epochs: int
    learning_rate: float
    reduce_factor: float
    reduce_patience: int
    stop_patience: int


@dataclass(frozen=True)
class Settings(Limits):
    """What `stages/train/spec.py` declares; the meaning of each is written there."""

    stage: ClassVar[str] = "train"
    batch: int
    seed: int
    validation_share: float
    input_size: int
    batchnorm_momentum: float
    input_values: str
    device: str
    tensorboard: bool
    wandb: str

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> Settings:
        """Take the step's parameters; an `input_size` of 0 becomes the model's own."""
        known = load_models()
        told = {field.name: parameters[field.name] for field in fields(cls)}
        if told["model"] not in known:
            raise InputError("no such model '%s'" % told["model"], "models: %s" % ", ".join(known))
        told["input_size"] = told["input_size"] or known[told["model"]].input_size
        return cls(**told)
