"""The parameters of a quantisation-aware training, read once from the step and passed down."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Mapping

from stages.train.settings import Limits


@dataclass(frozen=True)
class Settings(Limits):
    """What `stages/qat/spec.py` declares; the meaning of each is written there."""

    stage: ClassVar[str] = "qat"
    recipe: str
    batch: int
    images: int
    seed: int
    schedule: str
    device: str

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> Settings:
        """Take the step's parameters."""
        return cls(**{field.name: parameters[field.name] for field in fields(cls)})
