"""unpacked-cpu: the weights of a packed container as bytes in the int8 file that they were taken from, in LiteRT.

No runtime executes what is stored, so there is nothing to be timed and no memory to be measured. What the network
answers is that of the very codes and scales in the container, with activations of eight bits.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING, Any, Dict

from ai_edge_litert.interpreter import Interpreter

from stages.benchmark.execution import STORED, Kind, document
from stages.benchmark.on_cpu import open_on_cpu
from stages.container.file import read
from stages.container.network import restored, sizes
from stages.contract import InputError
from stages.tflite.flat import MalformedFile

if TYPE_CHECKING:
    from stages.benchmark.runtime import Runtime
    from stages.container.file import Container
    from stages.contract import Step


def open_runtime(step: Step) -> Runtime:
    """Unpack the container and load what comes out.

    Raises:
        InputError: it is damaged.
    """
    try:
        container = read((step.inputs["model"] / "model.packed").read_bytes())
        content = restored(container)
        kinds = _kinds(container)
    except MalformedFile as error:
        raise InputError("model.packed cannot be read: %s" % error, "make it again: --from convert") from error
    opened = open_on_cpu(step, Interpreter, {"litert": metadata.version("ai-edge-litert")}, content)
    return replace(opened, single=None, on_all_threads=None, examine=lambda: ([], kinds))


def _kinds(container: Container) -> Dict[str, Any]:
    """Say for `execution.json` that nothing is executed as it is stored."""
    return document(
        [
            Kind(one["operator"], one["dtype"], False, one["operators"], one["weights"], None, STORED)
            for one in sizes(container)["weights"]
        ]
    )
