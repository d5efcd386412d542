"""The ways in which recipes train their weights: each module has its `WAY` and is named after its recipe.

A way is found by its name at run time, so that a changed one is part of the code of its own recipe's steps alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Callable, Dict

if TYPE_CHECKING:
    from typing import Protocol

    import numpy as np
    from numpy.typing import NDArray

    from stages.contract import Step
    from stages.qat.lessons import Lesson

    class Way(Protocol):
        """What is trained and how it is judged.

        `network` simulates the file, and is called with `training=learning` when it learns. `described` is what
        `model.json` says beside what it says of the float network.
        """

        network: Any
        learning: bool
        described: Dict[str, Any]

        @property
        def kept(self) -> Any:
            """The network whose weights are saved."""

        def give(self) -> None:
            """Copy what was learnt into the kept network."""

        def take(self) -> None:
            """Copy the kept network's weights into the simulation."""

        def begin(self, seed: int, epoch: int) -> None:
            """Come before each epoch."""

        @property
        def watched(self) -> str:
            """Name the score that is shown beside the loss."""

        def losses(self, pixels: Any, outputs: Any, truth: Any) -> Any:
            """Judge the network's outputs, one value for each image."""

        def right(self, outputs: Any, truth: Any) -> Any:
            """Give the score that is shown, one value for each image."""

    Ways = Callable[[Step, Any, NDArray[np.uint8], Lesson], Way]


def find_way(recipe: str) -> Ways:
    """Find how a recipe trains: from the step, the float network, images to observe, uint8 [image, y, x, 3], lesson."""
    module = importlib.import_module("stages.qat.ways.%s" % recipe.replace("-", "_"))
    way: Ways = module.WAY
    return way
