"""The outputs of one set of kernels for many images: the bytes as they come, on as many threads as the step has.

Images are cut into parts by position, so what comes out does not depend on the number of threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Dict, List, Sequence, Tuple

import numpy as np

from stages.contract import InputError
from stages.parity.kernels import facts, open_file
from stages.tflite.model import float_tensors, inputs_and_outputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.images import ImageSet, Row
    from stages.progress import Progress
    from stages.tflite.model import Model

    Values = NDArray[Any]  # [image, value], in the type of the file's output

PART = 8  # images in one task: long enough to hide the hand-over


def input_size(model: Model) -> int:
    """Return the side of the images that the network takes.

    Raises:
        InputError: it is not quantised throughout, or does not take one image as bytes and give one output of bytes.
    """
    (entry, *more), ends = inputs_and_outputs(model)
    is_bytes = entry.dtype == "uint8" and len(entry.shape) == 4 and [end.dtype for end in ends] in (["uint8"], ["int8"])
    if more or not is_bytes or float_tensors(model):
        raise InputError(
            "parity is for networks of full int8 that take one image as bytes and give one output",
            "choose a recipe of full int8, such as ptq-int8",
        )
    return int(entry.shape[1])


def outputs_of(
    content: bytes, model: Model, kernels: str, images: ImageSet, rows: Sequence[Row], *, threads: int, told: Progress
) -> Tuple[Values, Dict[str, Any]]:
    """Run all images; also say what computed."""
    size = input_size(model)
    workers = [open_file(content, kernels) for _ in range(max(1, threads))]
    idle: SimpleQueue[Any] = SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def task(part: Sequence[Row]) -> List[Values]:
        worker = idle.get()
        try:
            return [run_one(worker, images.load(row, size)) for row in part]
        finally:
            idle.put(worker)

    found: List[Values] = []
    with ThreadPoolExecutor(len(workers)) as pool:
        for values in pool.map(task, [rows[first : first + PART] for first in range(0, len(rows), PART)]):
            found += values
            told.advance(len(values))
    return np.stack(found), facts(kernels, workers[0], model.main)


def run_one(interpreter: Any, image: NDArray[Any]) -> Values:
    """Run one image and return the output's values in a row."""
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[np.newaxis])
    interpreter.invoke()
    values: Values = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return values.ravel()
