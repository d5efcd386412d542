"""What of a file decides how long it takes on the Edge TPU: work and bytes of each layer, and what crosses the bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Set, Tuple

from stages.contract import InputError
from stages.edgetpu import gate
from stages.edgetpu.compiled.inspection import inspect
from stages.edgetpu.cycles import kind, units
from stages.edgetpu.parameters import layer_bytes
from stages.edgetpu.site import Site, elements, layer, sites
from stages.tflite.model import Model, Subgraph, inputs_and_outputs, read_model

# A matrix product of so many inputs was streamed with the chip all but empty (ricardodeazambuja/LibrEdgeTPU,
# bright_128x128); where below it that begins is not known.
TALL_INPUTS = 16_384


@dataclass(frozen=True)
class Layer:
    """One operator on the chip: `units` pieces of work of a `kind`, and the bytes of its parameters.

    `moved_in` and `moved_out` are the bytes that cross the bus for it. A `tall` matrix product has so many inputs that
    its parameters never stay on the chip.
    """

    index: int
    operator: str
    name: str
    kind: str
    units: int
    parameter_bytes: int
    written: int
    moved_in: int = 0
    moved_out: int = 0
    tall: bool = False


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
    cpu: Dict[str, int]
    exact: Optional[Exact]

    @property
    def input_bytes(self) -> int:
        """The bytes that enter the partition."""
        return sum(entry.moved_in for entry in self.layers)

    @property
    def output_bytes(self) -> int:
        """The bytes that leave it."""
        return sum(entry.moved_out for entry in self.layers)

    @property
    def parameter_bytes(self) -> int:
        """The bytes of all parameters."""
        return sum(entry.parameter_bytes for entry in self.layers)


def survey(content: bytes, compiled: Optional[bytes] = None) -> Survey:
    """Survey an int8 file, with the exact bytes of the compiled one where it is at hand.

    Raises:
        MalformedFile: one of them is not a TFLite file.
        InputError: no operator of it would run on the Edge TPU, or the compiled file is of another network.
    """
    judged = gate.check(content)
    if not judged["compiles"]:
        raise InputError("it does not compile: %s" % judged["reason"], "run check for the reasons")
    model = read_model(content)
    mapped = {row["index"] for row in judged["rows"] if row["device"] == "tpu"}
    on_chip = [site for site in sites(model.main) if site.index in mapped]
    return Survey(_layers(model.main, on_chip), judged["cpu"], _exact(model, compiled) if compiled else None)


def _exact(model: Model, compiled: bytes) -> Exact:
    told = inspect(compiled)
    if _ends(read_model(compiled)) != _ends(model):
        raise InputError(
            "the compiled file has other inputs or outputs", "give the file that was compiled from this one"
        )
    return Exact(told["cached_bytes"], told["streamed_bytes"], told["instruction_bytes"])


def _ends(model: Model) -> List[Tuple[str, Tuple[int, ...]]]:
    """List inputs and outputs by name and shape, which compiling does not change."""
    inputs, outputs = inputs_and_outputs(model)
    return [(tensor.name, tensor.shape) for tensor in (*inputs, *outputs)]


def _layers(graph: Subgraph, on_chip: Sequence[Site]) -> Tuple[Layer, ...]:
    """Describe the operators, each with what enters and leaves the partition through it for the first time."""
    made = {place for site in on_chip for place in site.operator.outputs}
    inside = {site.index for site in on_chip}
    wanted = {p for i, op in enumerate(graph.operators) if i not in inside for p in op.inputs} | set(graph.outputs)
    entered: Set[int] = set()
    told = []
    for site in on_chip:
        new = {p for p in site.operator.inputs if p >= 0 and not graph.tensors[p].is_constant} - made - entered
        entered |= new
        moved_in = sum(elements(graph.tensors[place].shape) for place in new)
        moved_out = sum(_padded(graph.tensors[place].shape) for place in set(site.operator.outputs) & wanted)
        told.append(_layer(site, moved_in, moved_out))
    return tuple(told)


def _layer(site: Site, moved_in: int, moved_out: int) -> Layer:
    weights = site.input(1)
    tall = site.name == "FULLY_CONNECTED" and weights is not None and weights.shape[-1:] >= (TALL_INPUTS,)
    written = sum(elements(tensor.shape) for tensor in site.outputs)
    name, size = layer(site.tensor), layer_bytes(site)
    return Layer(site.index, site.name, name, kind(site), units(site), size, written, moved_in, moved_out, tall)


def _padded(shape: Tuple[int, ...]) -> int:
    """Count the bytes of an output, which is padded to 4 channels."""
    return elements(shape[:-1]) * -(-shape[-1] // 4) * 4 if shape else 4
