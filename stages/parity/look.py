"""Look at any tensor of a graph that ran on one image, also where a delegate hides what is inside its part.

With the built-in and the reference kernels every tensor is made an output of the graph, and one run tells all. A
delegate would get another graph by that: for it the one tensor is made the output, and the operators behind its own are
cut off, by changing numbers in the file. Everything before runs as it did, on the same kernels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from stages.convert.interpreter import telling
from stages.parity.kernels import XNNPACK, open_file
from stages.parity.outputs import run_one
from stages.tflite.model import read_model
from stages.tflite.patch import Patch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Look = Callable[[int], NDArray[Any]]


def look(content: bytes, kernels: str, image: NDArray[Any]) -> Look:
    """Return what reads the values of a tensor that is computed, in a row; it may run the graph anew each time."""
    return cut_look(content, kernels, image) if kernels == XNNPACK else kept_look(content, kernels, image)


def kept_look(content: bytes, kernels: str, image: NDArray[Any]) -> Look:
    """Run once with every tensor as an output."""
    interpreter = open_file(telling(content), kernels)
    run_one(interpreter, image)
    return lambda tensor: interpreter.get_tensor(tensor).ravel()


def cut_look(content: bytes, kernels: str, image: NDArray[Any]) -> Look:
    """Run the beginning of the graph for each tensor."""
    graph = read_model(content).main
    maker = {tensor: place for place, operator in enumerate(graph.operators) for tensor in operator.outputs}

    def values(tensor: int) -> NDArray[Any]:
        if tensor in graph.inputs:
            return image.ravel()
        return run_one(open_file(ending_with(content, tensor, maker[tensor]), kernels), image)

    return values


def ending_with(content: bytes, tensor: int, operator: int) -> bytes:
    """Return the file whose graph ends with an operator and gives one of its tensors."""
    patch = Patch(content)
    patch.set_output(0, tensor)
    patch.keep_operators(operator + 1)
    return patch.content()
