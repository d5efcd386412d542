"""Proves that a changed file computes what the original computes: `python -m stages.parity.prove` under the contract.

Both run on the reference kernels, on random inputs and on the extreme ones; every byte of the outputs must be equal.
Where SOFTMAX was left to the host, the changed file's output is held against what the original gives to SOFTMAX.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Optional

import numpy as np
import tensorflow as tf

from stages.contract import InputError, Step, run, write_json
from stages.parity.kernels import REFERENCE, open_file
from stages.progress import Progress
from stages.tflite.model import read_model
from stages.tflite.patch import Patch

VERSION = 1
Fill = Callable[[Dict[str, Any]], Any]


def main(step: Step) -> None:
    """Run both files and write `proof.json`."""
    original, fixed = (step.inputs[name].read_bytes() for name in ("original", "fixed"))
    compared = "outputs"
    if step.parameters["softmax_on_host"]:
        original, compared = before_softmax(original), "output and the input of SOFTMAX"
    seed, count = int(step.parameters["seed"]), int(step.parameters["inputs"])
    told = Progress(step, count + 2, "input", "both files on the reference kernels")
    different = first_difference(original, fixed, list(fills(seed, count)), told)
    document = {
        "schema": "coralline.proof",
        "version": VERSION,
        "equal": different is None,
        "inputs": count + 2,
        "seed": seed,
        "compared": compared,
        "kernels": REFERENCE,
        "tensorflow": tf.__version__,
        "reason": different,
    }
    write_json(step.out / "proof.json", document)
    step.record(facts={"equal": document["equal"], "tensorflow": tf.__version__})


def before_softmax(content: bytes) -> bytes:
    """Make what the last SOFTMAX is given the output of the graph.

    Raises:
        InputError: there is no SOFTMAX.
    """
    entries = [operator.inputs[0] for operator in read_model(content).main.operators if operator.name == "SOFTMAX"]
    if not entries:
        raise InputError("the network has no SOFTMAX", "run check --fix without --softmax-on-host")
    patch = Patch(content)
    patch.set_output(0, entries[-1])
    return patch.content()


def fills(seed: int, count: int) -> Iterator[Fill]:
    """Give ways to fill an input: with its lowest and its highest value, then at random."""
    yield lambda entry: np.full(entry["shape"], _limits(entry["dtype"])[0], entry["dtype"])
    yield lambda entry: np.full(entry["shape"], _limits(entry["dtype"])[1], entry["dtype"])
    for number in range(count):
        yield lambda entry, number=number: _random(entry, np.random.default_rng([seed, number, entry["index"]]))  # type: ignore[misc]


def first_difference(original: bytes, fixed: bytes, ways: List[Fill], told: Progress) -> Optional[str]:
    """Say on which input the outputs differ first, or that the changed file is refused; None when all are equal.

    Raises:
        InputError: the original cannot run on the reference kernels, so that nothing can be proved.
    """
    standard = open_file(original, REFERENCE)
    try:
        changed = open_file(fixed, REFERENCE)
    except InputError as error:
        return error.message
    for number, fill in enumerate(ways):
        if _run(standard, fill) != _run(changed, fill):
            return "the outputs differ on input %d of %d" % (number + 1, len(ways))
        told.advance()
    return None


def _run(interpreter: Any, fill: Fill) -> List[Any]:
    """Return the bytes of all outputs, each with its type and shape."""
    for entry in interpreter.get_input_details():
        interpreter.set_tensor(entry["index"], fill(entry))
    interpreter.invoke()
    values = [interpreter.get_tensor(end["index"]) for end in interpreter.get_output_details()]
    return [(value.dtype.str, value.shape, value.tobytes()) for value in values]


def _limits(dtype: Any) -> Any:
    if dtype is np.bool_:
        return False, True
    if np.issubdtype(dtype, np.integer):
        return np.iinfo(dtype).min, np.iinfo(dtype).max
    return 0.0, 1.0  # what images are scaled to


def _random(entry: Dict[str, Any], rng: np.random.Generator) -> Any:
    low, high = _limits(entry["dtype"])
    if np.issubdtype(entry["dtype"], np.floating):
        return rng.uniform(low, high, entry["shape"]).astype(entry["dtype"])
    return rng.integers(low, high, entry["shape"], dtype=entry["dtype"], endpoint=True)


if __name__ == "__main__":
    run(main)
