"""int2's way: from the network that learnt with four bits on to two, with the float network as the teacher still.

So the weights come down in turn, 8 to 4 to 2: at eight bits, where all others stay, there is nothing to be learnt yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Tuple

from stages.qat.few_bits import FewBits
from stages.trained import load_trained

if TYPE_CHECKING:
    from stages.contract import Step


class TwoBits(FewBits):
    """A student with weights of two bits where a file could have four, which begins as a student of four bits."""

    bits = 2

    def start(self, step: Step, teacher: Any) -> Tuple[Any, bool]:
        """Give the network that was trained with four bits."""
        del teacher
        network, description = load_trained(step.inputs["start"])
        return network, bool(description.get("rewritten"))


WAY = TwoBits
