"""Change a TFLite file so that compiler 16 takes it, without changing what it computes.

Three things can be done in the places that the file has: state a batch that is left open, lower a version where the
newer feature is not used, and leave SOFTMAX to the host (only when asked, since the outputs are then its inputs).
That nothing else changed is shown by running both files (stages/parity).
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

from stages.contract import InputError
from stages.edgetpu.knowledge import operators
from stages.edgetpu.site import Site, sites
from stages.tflite.model import ABSENT, Model, read_model
from stages.tflite.patch import Patch

RESCALING = ("QUANTIZE", "DEQUANTIZE", "RESHAPE")  # what a converter puts between SOFTMAX and the output


def fix(content: bytes, *, softmax_on_host: bool = False) -> Tuple[bytes, List[Dict[str, Any]]]:
    """Return the changed file and what was changed; the same bytes when nothing is to be done.

    Raises:
        MalformedFile: it is not a TFLite file.
        InputError: SOFTMAX is to be left out and does not stand at the end.
    """
    model, patch = read_model(content), Patch(content)
    found = sites(model.main)
    changes = _static_shapes(model, patch) + _versions(found, patch)
    if softmax_on_host:
        changes += _without_softmax(model, found, patch)
    return (patch.content() if changes else content), changes


def _static_shapes(model: Model, patch: Patch) -> List[Dict[str, Any]]:
    changes = []
    for index, tensor in enumerate(model.main.tensors):
        if -1 in tensor.shape_signature and all(size > 0 for size in tensor.shape):
            patch.set_signature(index, tensor.shape)
            changes.append({"kind": "static shape", "tensor": tensor.name, "shape": list(tensor.shape)})
    return changes


def _versions(found: Sequence[Site], patch: Patch) -> List[Dict[str, Any]]:
    """Lower every operator code that is too new or may be, if all operators that use it allow that."""
    users: Dict[int, List[Site]] = {}
    for site in found:
        users.setdefault(patch.code_of(site.index), []).append(site)
    changes = []
    for code, using in sorted(users.items()):
        site = using[0]
        known = operators()["operators"].get(site.name, {})
        if site.operator.is_custom or site.operator.version <= known.get("newest_version", 1 << 30):
            continue
        needs = [needed_version(user) for user in using]
        lowest = max((need for need in needs if need is not None), default=0)
        if None in needs or lowest > known["newest_version"]:
            continue
        patch.set_version(code, lowest)
        changes.append({"kind": "version", "operator": site.name, "from": site.operator.version, "to": lowest})
    return changes


def needed_version(site: Site) -> Optional[int]:
    """Find the oldest version that has all that this operator uses; None when that is not known.

    Source of what raises a version: tensorflow/lite/tools/versioning/op_version.cc, as of TensorFlow 2.15.
    """
    plain = operators()["operators"].get(site.name, {}).get("plain_version")
    if plain is None or not _is_plain(site):
        return None
    special = SPECIAL.get(site.name)
    more = special(site) if special else 0
    return None if more is None else max(plain, more)


def _is_plain(site: Site) -> bool:
    """Whether all values have 8 bits and at most four dimensions, and constants 8 or (biases, axes) 32."""
    values = [*site.computed, *site.outputs]
    constants = [tensor for tensor in site.inputs if tensor is not None and tensor.is_constant]
    return all(t.dtype in ("int8", "uint8") and len(t.shape) <= 4 for t in values) and all(
        t.dtype in ("int8", "uint8", "int32") for t in constants
    )


def _convolution(site: Site) -> Optional[int]:
    """Refuse groups (version 6), which show as weights with fewer channels than the input."""
    source, weights = site.input(0), site.input(1)
    if source is None or weights is None or not source.shape or not weights.shape:
        return None
    return 0 if source.shape[-1] == weights.shape[-1] else None


def _fully_connected(site: Site) -> Optional[int]:
    without_bias = site.input(2) is None
    return 6 if without_bias else 5 * bool(site.options["keep_num_dims"])


def _transposed(site: Site) -> Optional[int]:
    if site.options["fused_activation"]:
        return None
    return 3 if site.input(3) is not None else 0


def _product(site: Site) -> Optional[int]:
    """Version 3 is for a product that is scaled up."""
    tensors = [site.input(0), site.input(1), *site.outputs]
    scales = [tensor.scales[0] for tensor in tensors if tensor is not None and tensor.scales]
    if len(scales) != 3:
        return None
    return 3 if scales[0] * scales[1] >= scales[2] else 0


def _resized(site: Site) -> Optional[int]:
    return 3 if site.options["half_pixel_centres"] else 0


def _sliced(site: Site) -> Optional[int]:
    return None if site.options["ellipsis_mask"] or site.options["new_axis_mask"] else 0


SPECIAL = {
    "CONV_2D": _convolution,
    "FULLY_CONNECTED": _fully_connected,
    "MUL": _product,
    "RESIZE_BILINEAR": _resized,
    "RESIZE_NEAREST_NEIGHBOR": _resized,
    "STRIDED_SLICE": _sliced,
    "TRANSPOSE_CONV": _transposed,
}


def _without_softmax(model: Model, found: Sequence[Site], patch: Patch) -> List[Dict[str, Any]]:
    """Make SOFTMAX's input the output, and cut SOFTMAX and what only rescales its result off."""
    tail = len(found)
    while tail and found[tail - 1].name in RESCALING:
        tail -= 1
    outputs = model.main.outputs
    if not tail or found[tail - 1].name != "SOFTMAX" or len(outputs) != 1:
        raise InputError("the network does not end with one SOFTMAX", "run check --fix without --softmax-on-host")
    softmax = found[tail - 1].operator
    if not softmax.inputs or softmax.inputs[0] == ABSENT:
        raise InputError("its SOFTMAX has no input", "convert the network again")
    made = {place for site in found[tail - 1 :] for place in site.operator.outputs}
    if outputs[0] not in made:
        raise InputError("the output does not come from SOFTMAX", "run check --fix without --softmax-on-host")
    patch.set_output(0, softmax.inputs[0])
    patch.keep_operators(tail - 1)
    logits = model.main.tensors[softmax.inputs[0]]
    return [{"kind": "softmax on the host", "tensor": logits.name, "operators": len(found) - tail + 1}]
