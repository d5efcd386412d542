"""qat-int8's way: the int8 file itself is simulated, and learns from what the float network says.

TFMOT's simulation is of Keras layers, and TFLite rounds other things than they do: swish is a LOGISTIC and a MUL in the
file, a sigmoid's scale is fixed, inputs of a CONCATENATION share one, BatchNorm is folded. On sparse images such a
difference is the same all over the background and adds up. So the graph of the file is what is trained here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

import tensorflow as tf

from stages.contract import InputError
from stages.convert.network import float_flatbuffer
from stages.convert.simulation import Simulation, UnknownOperatorError
from stages.qat.folded import pairs
from stages.qat.ranging import Ranged, best_ranges
from stages.rewrite import rewrite

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.contract import Step

LABELS = 0.3  # weight of the labels' cross-entropy beside the float network's answer
LEAST = 1e-7  # keeps logarithms finite


class Distilled:
    """A student of the float network `teacher`; the images in `observed`, uint8 [image, y, x, 3], fix its ranges.

    BatchNorm is folded and Dropout is off, as in the file.
    """

    learning = False

    def __init__(self, step: Step, teacher: Any, observed: NDArray[np.uint8]) -> None:
        plain, rewritten = rewrite(teacher)
        self.kept = plain if rewritten else _copied(plain)
        flatbuffer = float_flatbuffer(self.kept)
        ranged = best_ranges(step, flatbuffer, observed)
        simulation = _simulation(flatbuffer, ranged)
        self._pairs = pairs(self.kept, simulation.weighted)
        self.network = Network(simulation)
        self._teacher = teacher
        self.described: Dict[str, Any] = {
            "rewritten": bool(rewritten),
            "range_rule": ranged.rule,
            "ranges": [[float(end) for end in ends] for ends in ranged.in_order()],
        }

    def take(self) -> None:
        """Copy the kept network's weights into the simulation."""
        for pair in self._pairs:
            pair.take()

    def give(self) -> None:
        """Copy what was learnt into the kept network."""
        for pair in self._pairs:
            pair.give()

    def begin(self, seed: int, epoch: int) -> None:
        """Nothing is random in an epoch."""

    def losses(self, pixels: Any, outputs: Any, labels: Any) -> Any:
        """Distillation: the divergence from the float network's answer, and the cross-entropy of the labels."""
        sure = self._teacher(pixels, training=False)
        said = tf.math.log(outputs + LEAST)
        divergence = tf.reduce_sum(sure * (tf.math.log(sure + LEAST) - said), axis=1)
        truth = -tf.gather(said, labels, axis=1, batch_dims=1)
        return divergence + LABELS * truth


class Network(tf.keras.Model):  # type: ignore[misc]  # TensorFlow has no types
    """A simulation that can be called and asked to predict like a Keras network."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__()
        self._simulation = simulation
        self._learnt = simulation.variables  # as an attribute, so that Keras counts them as its weights

    def call(self, pixels: Any, training: Any = None) -> Any:
        """Compute the outputs of a batch of float images; training makes no difference."""
        del training
        return self._simulation(pixels)


def _simulation(flatbuffer: bytes, ranged: Ranged) -> Simulation:
    try:
        return Simulation(flatbuffer, ranged.content)
    except UnknownOperatorError as error:
        raise InputError(
            "the network has operators that cannot be simulated: %s" % error, "leave qat-int8 out of --recipes"
        ) from error


def _copied(model: Any) -> Any:
    copy = tf.keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy
