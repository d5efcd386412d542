"""Draw calibration images and watch what they do to every activation of the float network.

The float interpreter with every activation as an output takes the place of the converter's calibrator: the same ranges
in about half of the time (benchmarks/calibrate.py), per image, so that any rule can be applied afterwards.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Callable, Collection, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from stages.convert.interpreter import telling
from stages.convert.ranges import Statistics
from stages.images import ImageSet, Pixels, Row, as_floats, stratified
from stages.tflite.model import Model, read_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.convert.source import Source
    from stages.progress import Progress

BATCH = 4  # 1 takes a fifth longer; more than 4 gains 5 % and doubles the memory


def draw(source: Source, images: ImageSet, reserved: Collection[str] = ()) -> List[Row]:
    """Draw the calibration images from the training split, every class in its share.

    Validation images and those whose paths are `reserved` are left out.
    """
    kept = {*source.validation_images, *reserved}
    rows = [row for row in images.rows("train") if row.path not in kept]
    wanted = int(source.step.parameters["calibration_images"])
    if len(rows) < wanted:
        source.step.warning(
            "calibration with %d images instead of %d: the training split has no more" % (len(rows), wanted)
        )
    return stratified(rows, "calibration", int(source.step.parameters["calibration_seed"]), count=wanted)


class Observer:
    """Runs images through the float network and reads all of it; `load` gives the pixels of one, [size, size, 3].

    What it finds does not depend on the number of threads: batches are cut by position.
    """

    def __init__(self, flatbuffer: bytes, load: Callable[[Any], Pixels], size: int, threads: int) -> None:
        self.model = read_model(flatbuffer)
        self._telling, self._load, self._size, self._threads = telling(flatbuffer), load, size, threads
        self._batch = BATCH if _takes_batches(self._telling, self.model) else 1

    def statistics(self, rows: Sequence[Any], progress: Optional[Progress] = None) -> Statistics:
        """Keep each activation's extremes, image by image."""
        tensors = activations(self.model)
        local = threading.local()

        def task(batch: Sequence[Any]) -> Tuple[NDArray[np.float32], NDArray[np.float32]]:
            if not hasattr(local, "run"):
                local.run = _interpreter(self._telling, self.model, self._batch)
            return _extremes(local.run(as_floats(self._pixels(batch))), tensors, len(batch))

        batches = [rows[first : first + self._batch] for first in range(0, len(rows), self._batch)]
        lows, highs = [], []
        with ThreadPoolExecutor(max(1, self._threads)) as pool:
            for batch, (low, high) in zip(batches, pool.map(task, batches)):
                lows.append(low)
                highs.append(high)
                if progress is not None:
                    progress.advance(len(batch))
        return Statistics(tensors, np.concatenate(lows, axis=1), np.concatenate(highs, axis=1))

    def _pixels(self, batch: Sequence[Any]) -> NDArray[np.uint8]:
        pixels = np.zeros((self._batch, self._size, self._size, 3), np.uint8)
        for place, row in enumerate(batch):
            pixels[place] = self._load(row)
        return pixels


def activations(model: Model) -> Tuple[int, ...]:
    """List all float tensors that depend on the image: the graph's inputs and every operator's outputs."""
    graph = model.main
    found = [*graph.inputs, *(index for operator in graph.operators for index in operator.outputs)]
    return tuple(index for index in found if graph.tensors[index].dtype == "float32")


def makers(model: Model) -> List[Tuple[int, str]]:
    """List the activations in the order of the graph, each with the operator that makes it; the image has none."""
    names = {index: one.name for one in model.main.operators for index in one.outputs}
    return [(index, names.get(index, "")) for index in activations(model)]


def _takes_batches(flatbuffer: bytes, model: Model) -> bool:
    """Whether a network takes several images at once; one with a RESHAPE to a constant shape takes one."""
    try:
        _interpreter(flatbuffer, model, BATCH)
    except RuntimeError:
        return False
    return True


def _interpreter(flatbuffer: bytes, model: Model, batch: int) -> Callable[[NDArray[np.float32]], Callable[[int], Any]]:
    """Make a function that runs a batch and returns a reader of tensors; XNNPACK computes where it can."""
    interpreter = tf.lite.Interpreter(model_content=flatbuffer, num_threads=1)
    entry = model.main.inputs[0]
    interpreter.resize_tensor_input(entry, [batch, *model.main.tensors[entry].shape[1:]])
    interpreter.allocate_tensors()

    def run(pixels: NDArray[np.float32]) -> Callable[[int], Any]:
        interpreter.set_tensor(entry, pixels)
        interpreter.invoke()
        return interpreter.get_tensor  # type: ignore[no-any-return]

    return run


def _extremes(
    read: Callable[[int], Any], tensors: Sequence[int], count: int
) -> Tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Take the lowest and highest value of each tensor for the first `count` images of the batch."""
    lows = np.empty((len(tensors), count), np.float32)
    highs = np.empty_like(lows)
    for place, index in enumerate(tensors):
        values = read(index)[:count].reshape(count, -1)
        lows[place], highs[place] = values.min(axis=1), values.max(axis=1)
    return lows, highs
