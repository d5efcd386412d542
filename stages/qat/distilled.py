"""A student that is the int8 file itself, simulated, and learns from what the float network says.

TFMOT's simulation is of Keras layers, and TFLite rounds other things than they do: swish is a LOGISTIC and a MUL in the
file, a sigmoid's scale is fixed, inputs of a CONCATENATION share one, BatchNorm is folded. On sparse images such a
difference is the same all over the background and adds up. So the graph of the file is what is trained here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Collection, Dict, List, Tuple

import numpy as np
import tensorflow as tf

from stages.contract import InputError
from stages.convert.judge import predict
from stages.convert.network import float_flatbuffer
from stages.convert.simulation import Simulation
from stages.convert.steps import UnsimulatedError
from stages.images import as_floats
from stages.qat.folded import Pair, UnpairedError, pairs
from stages.qat.lessons.classification import LESSON
from stages.qat.ranging import Ranged, best_ranges
from stages.rewrite import rewrite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.contract import Step
    from stages.qat.lessons import Lesson

PROVED = 4  # images on which weights are shown to reach the right layers
SAME_OUTPUTS = 1e-3  # of probabilities: float sums in another order, through a few hundred layers


class Distilled:
    """A student of the float network `teacher`; the images in `observed`, uint8 [image, y, x, 3], fix its ranges.

    It learns to name classes unless it is given another lesson. BatchNorm is folded and Dropout is off, as in the file.
    """

    learning = False
    bits: ClassVar[int] = 8  # of the weights that `narrow` names

    def __init__(self, step: Step, teacher: Any, observed: NDArray[np.uint8], lesson: Lesson = LESSON) -> None:
        self.kept, rewritten = self.start(step, teacher)
        flatbuffer = float_flatbuffer(self.kept)
        ranged = best_ranges(step, flatbuffer, observed, lesson.divergences)
        simulation = _simulation(flatbuffer, ranged, self.narrow(flatbuffer), self.bits)
        self.pairs = _paired(self.kept, simulation)
        steps = [pair.operator.step.change for pair in self.pairs if pair.operator.step is not None]
        self.network = Network(simulation, [variable for pair in self.pairs for variable in pair.learnt] + steps)
        self._prove(simulation, observed[:PROVED])
        self._teacher, self._lesson = teacher, lesson
        self.described: Dict[str, Any] = {
            "rewritten": rewritten,
            "range_rule": ranged.rule,
            "ranges": ranged.document(),
        }

    def start(self, step: Step, teacher: Any) -> Tuple[Any, bool]:
        """Give the network that is trained, as it begins, and whether it was rewritten (`stages/rewrite.py`)."""
        del step
        plain, rewritten = rewrite(teacher)
        return plain if rewritten else _copied(plain), bool(rewritten)

    def narrow(self, flatbuffer: bytes) -> Collection[int]:
        """Give the places of the operators whose weights have few bits."""
        del flatbuffer
        return ()

    def _prove(self, simulation: Simulation, pixels: NDArray[np.uint8]) -> None:
        """Show that what is learnt reaches the right layers: with other weights both still compute the same.

        Raises:
            InputError: they do not.
        """
        begun = [variable.numpy() for variable in self.network.trainable_variables]
        noise = np.random.default_rng(0)
        for variable, values in zip(self.network.trainable_variables, begun):
            variable.assign(values * noise.uniform(0.9, 1.1, values.shape) + noise.normal(0, 1e-3, values.shape))
        Distilled.give(self)
        wanted = predict(simulation.written(), pixels, 1)
        apart = float(np.abs(self.kept(as_floats(pixels), training=False) - wanted).max())
        for variable, values in zip(self.network.trainable_variables, begun):
            variable.assign(values)
        Distilled.give(self)
        if not apart <= SAME_OUTPUTS:
            raise _unsimulated("its layers and its operators do not compute the same, by %.2g" % apart)

    def take(self) -> None:
        """Copy the kept network's weights into the simulation."""
        for pair in self.pairs:
            pair.take()

    def give(self) -> None:
        """Copy what was learnt into the kept network."""
        for pair in self.pairs:
            pair.give()

    def begin(self, seed: int, epoch: int) -> None:
        """Nothing is random in an epoch."""

    @property
    def watched(self) -> str:
        """Name the score that is shown."""
        return self._lesson.watched

    def losses(self, pixels: Any, outputs: Any, truth: Any) -> Any:
        """Distillation: what the float network says of the images, and what is true."""
        return self._lesson.losses(self._teacher(pixels, training=False), outputs, truth)

    def right(self, outputs: Any, truth: Any) -> Any:
        """Give the score of each image."""
        return self._lesson.right(outputs, truth)


class Network(tf.keras.Model):  # type: ignore[misc]  # TensorFlow has no types
    """A simulation that can be called and asked to predict like a Keras network."""

    def __init__(self, simulation: Simulation, learnt: List[Any]) -> None:
        super().__init__()
        self._simulation = simulation
        self._learnt = learnt  # as an attribute, so that Keras counts them as its weights

    def call(self, pixels: Any, training: Any = None) -> Any:
        """Compute the outputs of a batch of float images; training makes no difference."""
        del training
        return self._simulation(pixels)


def _simulation(flatbuffer: bytes, ranged: Ranged, narrow: Collection[int], bits: int) -> Simulation:
    try:
        return Simulation(flatbuffer, ranged.content, narrow, bits)
    except UnsimulatedError as error:
        raise _unsimulated(str(error)) from error


def _paired(model: Any, simulation: Simulation) -> List[Pair]:
    try:
        return pairs(model, simulation.weighted)
    except UnpairedError as error:
        raise _unsimulated(str(error)) from error


def _unsimulated(reason: str) -> InputError:
    return InputError("the network cannot be trained as qat-int8 does: %s" % reason, "leave qat-int8 out of --recipes")


def _copied(model: Any) -> Any:
    copy = tf.keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy
