"""Quantisation doctor: which activations of the int8 file are far from the float network's, and why.

Noise is the difference between the int8 file's value and the float network's, over a few images. Part of it arises in
the activation itself: rounding to its step, cutting at its range. The rest came with its inputs, weights or bias.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Tuple

import numpy as np

from stages.convert.interpreter import inner_interpreter, telling
from stages.images import as_floats
from stages.tflite.model import Model, Operator, Tensor, read_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORST = 12  # activations that are told of
MAIN = 0.5  # share of the noise from which on something is its reason
TINY = 1e-30  # keeps a logarithm of nothing finite


@dataclass
class Noise:
    """Sums of squares over all values of one activation: the signal, its noise, and three parts of the noise."""

    signal: float = 0.0
    total: float = 0.0
    cut: float = 0.0
    rounded: float = 0.0
    shifts: List[NDArray[np.float64]] = field(default_factory=list)  # for each image: channel sums of the noise
    count: int = 0

    def add(self, real: NDArray[np.float64], found: NDArray[np.float64], tensor: Tensor) -> None:
        """Take one image's values, [..., channel]."""
        low, high = _limits(tensor)
        inside = np.clip(real, low, high)
        step = tensor.scales[0]
        noise = found - real
        self.signal += float(np.square(real).sum())
        self.total += float(np.square(noise).sum())
        self.cut += float(np.square(real - inside).sum())
        self.rounded += float(np.square(inside - np.rint(inside / step) * step).sum())
        self.shifts.append(noise.reshape(-1, noise.shape[-1]).sum(axis=0))
        self.count += noise.size // noise.shape[-1]

    @property
    def shifted(self) -> float:
        """The part that is one shift of each channel, the same everywhere and in every image."""
        return float(np.square(np.sum(self.shifts, axis=0)).sum() / self.count)

    @property
    def decibels(self) -> float:
        """Signal to noise."""
        return 10 * float(np.log10((self.signal + TINY) / (self.total + TINY)))


def examine(flatbuffer: bytes, content: bytes, pixels: NDArray[np.uint8]) -> List[Dict[str, Any]]:
    """Find the activations with the worst ratio of signal to noise, worst first, each with the main reason."""
    real, model = read_model(flatbuffer), read_model(content)
    places = {tensor.name: index for index, tensor in enumerate(real.main.tensors)}
    watched = [
        (operator, index, places[model.main.tensors[index].name])
        for operator in model.main.operators
        for index in operator.outputs
        if model.main.tensors[index].name in places and model.main.tensors[index].dtype == "int8"
    ]
    noises = _listen(flatbuffer, content, pixels, model, watched)
    ranked = sorted(zip(watched, noises), key=lambda pair: pair[1].decibels)
    return [_told(model, operator, index, noise) for (operator, index, _), noise in ranked[:WORST]]


def _listen(
    flatbuffer: bytes, content: bytes, pixels: NDArray[np.uint8], model: Model, watched: List[Tuple[Operator, int, int]]
) -> List[Noise]:
    noises = [Noise() for _ in watched]
    read_float, read_int8 = _reader(flatbuffer), _reader(content)
    for image in pixels:
        real, found = read_float(as_floats(image)), read_int8(image)
        for noise, (_, index, place) in zip(noises, watched):
            tensor = model.main.tensors[index]
            values = (found(index).astype(np.float64) - tensor.zero_points[0]) * tensor.scales[0]
            noise.add(real(place).astype(np.float64), values, tensor)
    return noises


def _reader(content: bytes) -> Callable[[NDArray[Any]], Callable[[int], NDArray[Any]]]:
    """Make a function that runs one image and returns a reader of tensors."""
    interpreter = inner_interpreter(telling(content))
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]["index"]

    def run(image: NDArray[Any]) -> Callable[[int], NDArray[Any]]:
        interpreter.set_tensor(entry, image[None])
        interpreter.invoke()
        return interpreter.get_tensor  # type: ignore[no-any-return]

    return run


def _told(model: Model, operator: Operator, index: int, noise: Noise) -> Dict[str, Any]:
    tensor = model.main.tensors[index]
    return {
        "tensor": tensor.name,
        "operator": operator.name,
        "place": model.main.operators.index(operator),
        "signal_to_noise_db": round(noise.decibels, 2),
        "range": [round(limit, 6) for limit in _limits(tensor)],
        "reason": _reason(model, operator, noise),
    }


def _reason(model: Model, operator: Operator, noise: Noise) -> str:
    """Name what makes most of the noise."""
    if operator.name in {"MUL", "ADD"} and any(_is_channel_constant(model, index) for index in operator.inputs):
        return "structure: a constant for each channel has one scale for all of them"
    if noise.cut >= MAIN * noise.total:
        return "range: values beyond it are cut"
    if noise.rounded >= MAIN * noise.total:
        return "outliers: the range is wide, so the steps are coarse"
    if noise.shifted >= MAIN * noise.total:
        return "bias: each channel is shifted by the same amount everywhere"
    return "inherited: from the inputs and the weights"


def _is_channel_constant(model: Model, index: int) -> bool:
    made = {output for operator in model.main.operators for output in operator.outputs}
    tensor = model.main.tensors[index] if index >= 0 else None
    return bool(tensor and index not in made and index not in model.main.inputs and np.prod(tensor.shape) > 1)


def _limits(tensor: Tensor) -> Tuple[float, float]:
    """Real values of the lowest and the highest int8 value."""
    scale, zero_point = tensor.scales[0], tensor.zero_points[0]
    return (-128 - zero_point) * scale, (127 - zero_point) * scale
