"""What a recipe gets and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

from stages.images import ImageSet
from stages.tasks import task_of

if TYPE_CHECKING:
    from pathlib import Path

    from stages.container.file import Container
    from stages.contract import Step
    from stages.tasks import Task


@dataclass(frozen=True)
class Source:
    """A trained network on its way to TFLite: `model` is the Keras model, `description` its `model.json`."""

    step: Step
    model: Any
    description: Dict[str, Any]

    @classmethod
    def read(cls, step: Step, load: Callable[[Path], Tuple[Any, Dict[str, Any]]]) -> Source:
        """Load what the train or the qat stage made: the network and its description."""
        return cls(step, *load(step.inputs["model"]))

    @property
    def name(self) -> str:
        """The network's name."""
        return str(self.description["model"])

    @property
    def input_size(self) -> int:
        """Edge of the input in pixels."""
        return int(self.description["input_size"])

    @property
    def classes(self) -> List[str]:
        """Names of the classes in the order of the outputs."""
        return list(self.description["classes"])

    @property
    def validation_images(self) -> List[str]:
        """Paths of the training images that were kept to judge the network."""
        return list(self.description["validation_images"])

    def images(self) -> ImageSet:
        """Read the data set."""
        return ImageSet.read(self.step)

    def task(self) -> Task:
        """Open what the network learnt, on the data set."""
        return task_of(self.name, self.step)


@dataclass(frozen=True)
class Converted:
    """A TFLite file, how it was calibrated, if it was, and how its quantisation was searched, if it was.

    Where there is a `container`, that is what is kept: it holds the weights of the file in fewer bits.
    """

    content: bytes
    calibration: Optional[Dict[str, Any]] = None
    quantisation: Optional[Dict[str, Any]] = None
    container: Optional[Container] = None
