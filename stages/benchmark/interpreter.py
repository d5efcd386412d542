"""A TFLite interpreter as the benchmark uses it, whichever delegate computes.

Images go in as they come from `stages/images.py`: value/255 for a float input, the bytes themselves for uint8.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, Tuple

import numpy as np

from stages.benchmark.latency import NS_PER_MS
from stages.contract import InputError
from stages.images import Pixels, are_bytes_of_images, as_floats

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.benchmark.runtime import Probabilities

TIMED = "invoke() alone: the input is in place, the output is not read"


@dataclass(frozen=True)
class Network:
    """One interpreter with its tensors allocated."""

    interpreter: Any
    entry: Dict[str, Any]
    exit: Dict[str, Any]

    def fill(self, image: Pixels) -> None:
        """Put one image in place."""
        values: NDArray[Any] = as_floats(image) if self.entry["dtype"] is np.float32 else image
        self.interpreter.set_tensor(self.entry["index"], values[np.newaxis])

    def single(self, image: Pixels) -> Callable[[], object]:
        """Put an image in place and return what runs it."""
        self.fill(image)
        invoke: Callable[[], object] = self.interpreter.invoke
        return invoke

    def predict(self, images: Pixels) -> Probabilities:
        """Run images one after the other."""
        return np.stack([self._predict_one(image) for image in images])

    def _predict_one(self, image: Pixels) -> Probabilities:
        self.fill(image)
        self.interpreter.invoke()
        values = self.interpreter.get_tensor(self.exit["index"])[0]
        if values.dtype == np.float32:
            return np.asarray(values)
        scale, zero_point = self.exit["quantization"]
        return np.asarray((values.astype(np.float32) - zero_point) * np.float32(scale))


def open_network(make: Callable[[], Any]) -> Tuple[Network, float]:
    """Make an interpreter and allocate its tensors; also the milliseconds that it took.

    Raises:
        InputError: the file cannot be run, or does not take images as bytes or floats.
    """
    begin = time.perf_counter_ns()
    try:
        interpreter = make()
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise InputError("the interpreter refuses the model: %s" % error, "convert it again") from error
    load_ms = (time.perf_counter_ns() - begin) / NS_PER_MS
    network = Network(interpreter, interpreter.get_input_details()[0], interpreter.get_output_details()[0])
    _check_entry(network.entry)
    return network, load_ms


def read_conversion(path: Path) -> Dict[str, Any]:
    """Read `conversion.json`, or the copy of it in a `compile.json`."""
    told: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    conversion: Dict[str, Any] = told.get("conversion", told)
    return conversion


def _check_entry(entry: Dict[str, Any]) -> None:
    if entry["dtype"] is np.float32:
        return
    scale, zero_point = entry["quantization"]
    if entry["dtype"] is not np.uint8 or not are_bytes_of_images(scale, zero_point):
        raise InputError(
            "the model's input is %s with scale %g and zero point %d; expected float32, or uint8 with scale 1/255 and"
            " zero point 0" % (np.dtype(entry["dtype"]).name, scale, zero_point),
            "convert it with a recipe of Coralline",
        )
