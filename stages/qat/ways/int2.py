"""int2's way: from the network that learnt with four bits on to two, with the float network as the teacher still.

So the weights come down in turn, 8 to 4 to 2: at eight bits, where all others stay, there is nothing to be learnt yet.
The step to two bits is too long for rounding to the nearest. So the training begins with the codes that change the
outputs of each layer least, on what the rounded layers before it hand on.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Tuple

from stages.convert.narrow import narrowable, stand_in, values
from stages.convert.pointwise import pointwise
from stages.convert.rounding import in_turn
from stages.convert.tuned import CORRECTING, CORRECTING_PIXELS
from stages.qat.few_bits import FewBits
from stages.tflite.model import read_model
from stages.trained import load_trained

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.contract import Step
    from stages.qat.ranging import Ranged

BITS = 2


class TwoBits(FewBits):
    """A student with weights of two bits where a file could have four, which begins as a student of four bits."""

    bits = BITS

    def start(self, step: Step, teacher: Any) -> Tuple[Any, bool]:
        """Give the network that was trained with four bits."""
        del teacher
        network, description = load_trained(step.inputs["start"])
        return network, bool(description.get("rewritten"))

    def prepare(self, ranged: Ranged, observed: NDArray[np.uint8]) -> None:
        """Put the weights of 1x1 convolutions on two bits, each on what the layers before it make of some images."""
        able = narrowable(read_model(ranged.content))
        dense = set(pointwise(read_model(ranged.content))).intersection(able)
        fewest, most = CORRECTING
        count = min(most, max(fewest, CORRECTING_PIXELS // observed.shape[1] ** 2))
        rounded = stand_in(ranged.content, observed[:count], partial(in_turn, bits=BITS), dense, BITS)
        found = values(rounded, dense)
        narrowed = [pair.operator.kernel for pair in self.pairs if pair.operator.step is not None]
        for place, kernel in zip(able, narrowed):  # both in the order of the graph
            if place in dense:
                kernel.assign(found[place].reshape(kernel.shape))
        self.find_steps()
        self.give()


WAY = TwoBits
