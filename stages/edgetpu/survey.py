"""What of a file decides how long it takes on the Edge TPU: work and bytes of each layer, and what crosses the bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Sequence, Tuple

from stages.contract import InputError
from stages.edgetpu import gate
from stages.edgetpu.cycles import kind, units
from stages.edgetpu.inspection import inspect
from stages.edgetpu.parameters import layer_bytes
from stages.edgetpu.site import Site, elements, layer, sites
from stages.tflite.model import Subgraph, read_model


@dataclass(frozen=True)
class Layer:
    """One operator on the chip: `units` pieces of work of a `kind`, and the bytes of its parameters."""

    index: int
    operator: str
    name: str
    kind: str
    units: int
    parameter_bytes: int
    written: int


@dataclass(frozen=True)
class Exact:
    """What a compiled file states."""

    cached_bytes: int
    streamed_bytes: int
    instruction_bytes: int


@dataclass(frozen=True)
class Survey:
    """A network as the chip sees it; sizes in bytes for one inference."""

    layers: Tuple[Layer, ...]
    input_bytes: int
    output_bytes: int
    cpu: Dict[str, int]
    exact: Optional[Exact]

    @property
    def parameter_bytes(self) -> int:
        """The bytes of all parameters."""
        return sum(entry.parameter_bytes for entry in self.layers)


def survey(content: bytes, compiled: Optional[bytes] = None) -> Survey:
    """Survey an int8 file, with the exact bytes of the compiled one where it is at hand.

    Raises:
        MalformedFile: it is not a TFLite file.
        InputError: no operator of it would run on the Edge TPU.
    """
    judged = gate.check(content)
    if not judged["compiles"]:
        raise InputError("it does not compile: %s" % judged["reason"], "run check for the reasons")
    graph = read_model(content).main
    mapped = {row["index"] for row in judged["rows"] if row["device"] == "tpu"}
    on_chip = [site for site in sites(graph) if site.index in mapped]
    inputs, outputs = _border(graph, on_chip)
    told = inspect(compiled) if compiled else None
    exact = Exact(told["cached_bytes"], told["streamed_bytes"], told["instruction_bytes"]) if told else None
    return Survey(tuple(_layer(site) for site in on_chip), inputs, outputs, judged["cpu"], exact)


def _layer(site: Site) -> Layer:
    written = sum(elements(tensor.shape) for tensor in site.outputs)
    return Layer(site.index, site.name, layer(site.tensor), kind(site), units(site), layer_bytes(site), written)


def _border(graph: Subgraph, on_chip: Sequence[Site]) -> Tuple[int, int]:
    """Count the bytes that enter and leave the partition; outputs are padded to 4 channels."""
    made = {place for site in on_chip for place in site.operator.outputs}
    needed = {p for site in on_chip for p in site.operator.inputs if p >= 0 and not graph.tensors[p].is_constant}
    inside = {site.index for site in on_chip}
    wanted = {p for i, op in enumerate(graph.operators) if i not in inside for p in op.inputs} | set(graph.outputs)
    shapes = [graph.tensors[place].shape for place in made & wanted]
    padded = sum(elements(shape[:-1]) * -(-shape[-1] // 4) * 4 if shape else 4 for shape in shapes)
    return sum(elements(graph.tensors[place].shape) for place in needed - made), padded
