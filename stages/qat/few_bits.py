"""A student with the weights of its 1x1 convolutions on few steps, whose sizes are learnt with them.

At the end of an epoch these weights are set to the steps that they are nearest to, as the file will have them, and the
sizes are found again from them: so a training that is taken up again goes on from the very same numbers. BatchNorm is
folded, and its shift learns as the bias does: there are no statistics that rounding could leave behind.
"""

from __future__ import annotations

from typing import Collection

import tensorflow as tf

from stages.convert.narrow import narrowable
from stages.convert.simulation import on_steps, steps_of
from stages.qat.distilled import Distilled
from stages.tflite.model import read_model


class FewBits(Distilled):
    """A student whose weights have `bits` bits where the file can have them."""

    def narrow(self, flatbuffer: bytes) -> Collection[int]:
        """Give the places of the operators that are narrowed."""
        return narrowable(read_model(flatbuffer))

    def give(self) -> None:
        """Copy what was learnt into the kept network, on the steps that it has in the file."""
        for pair in self.pairs:
            kernel, step = pair.operator.kernel, pair.operator.step
            if step is not None:
                rounded = on_steps(tf.transpose(kernel, (1, 2, 3, 0)), step.size, self.bits)
                kernel.assign(tf.transpose(rounded, (3, 0, 1, 2)))
        super().give()
        self._find_steps()

    def take(self) -> None:
        """Copy the kept network's weights into the simulation, and find their steps."""
        super().take()
        self._find_steps()

    def _find_steps(self) -> None:
        for pair in self.pairs:
            if pair.operator.step is not None:
                pair.operator.step.assign(steps_of(pair.operator.kernel.numpy(), self.bits))
