"""What the vendor's runtime asks of a compiled operator before it runs it, asked here without the runtime.

After google-coral/libedgetpu: driver/package_registry.cc, tflite/custom_op_data.cc and tflite/custom_op.cc. Damage that
its verifier of FlatBuffers would find is no check here: it ends the reading.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Dict, List, Sequence

from stages.edgetpu.compiled.executable import EXECUTION_ONLY, PARAMETER_CACHING, TYPES
from stages.edgetpu.compiled.operator import CACHING, FURTHER, CustomOperator
from stages.edgetpu.knowledge import read

if TYPE_CHECKING:
    from stages.edgetpu.compiled.layers import Layer
    from stages.edgetpu.compiled.package import Package
    from stages.tflite.model import Tensor

REFUSES, WARNS = "refuses", "warns"
COMBINATIONS = ({PARAMETER_CACHING, EXECUTION_ONLY}, set(TYPES))  # one alone may have any type

Check = Dict[str, Any]


def runtime_checks(operator: CustomOperator, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> List[Check]:
    """Check an operator with its tensors: `{"name", "ok", "otherwise", "expected", "found"}` each.

    `otherwise` is what the runtime does when it is not ok: it `refuses` the file or `warns`.
    """
    running, package = operator.package.running, operator.package
    returned = [layer for layer in running.outputs if not layer.is_state]
    return [
        *_check_map(operator),
        *_check_package(package),
        _check_executables(package),
        _check_batches(package),
        _check_tensors("input_tensors", running.inputs, inputs, may_classify=False),
        _check_tensors("output_tensors", returned, outputs, may_classify=True),
    ]


def _check(name: str, expected: str, found: Any, ok: bool, otherwise: str = REFUSES) -> Check:
    return {"name": name, "ok": ok, "otherwise": otherwise, "expected": expected, "found": found}


def _check_map(operator: CustomOperator) -> List[Check]:
    packages, codes = len(operator.packages), operator.chip_codes
    fitting = FURTHER not in operator.keys if codes is None else len(codes) == packages
    return [
        _check("chip_codes", "one for each package", {"packages": packages, "chip_codes": codes}, fitting),
        _check("packages", "1", packages, packages == 1),
        _check("ignored_keys", "none", [CACHING] * (CACHING in operator.keys), CACHING not in operator.keys, WARNS),
    ]


def _check_package(package: Package) -> List[Check]:
    identifier, several_chips = _known("identifier"), _known("several_chips")
    oldest, newest = _known("oldest_runtime_version"), _known("newest_runtime_version")
    version, chip = package.min_runtime_version, package.virtual_chip_id
    return [
        _check("identifier", identifier, package.identifier, package.identifier == identifier, WARNS),
        _check("runtime_not_newer", "at most %d" % newest, version, version <= newest),
        _check("runtime_not_older", "at least %d" % oldest, version, version >= oldest, WARNS),
        _check("virtual_chip_id", "not %d" % several_chips, chip, chip != several_chips),
    ]


def _check_executables(package: Package) -> Check:
    types = [each.type for each in package.executables]
    fitting = len(types) == 1 or (len(types) == len(set(types)) and set(types) in COMBINATIONS)
    expected = "one, %s + %s, or all three kinds" % (TYPES[PARAMETER_CACHING], TYPES[EXECUTION_ONLY])
    return _check("executables", expected, [each.type_name for each in package.executables], fitting)


def _check_batches(package: Package) -> Check:
    batches = [each.batch_size for each in package.executables]
    return _check("batch_size", "at least 1", batches, all(batch >= 1 for batch in batches))


def _check_tensors(name: str, layers: Sequence[Layer], tensors: Sequence[Tensor], *, may_classify: bool) -> Check:
    """Check that there are as many layers as tensors, of types that the runtime can turn into each other."""
    pairs = Counter((layer.data_type, tensor.dtype) for layer, tensor in zip(layers, tensors))
    fitting = len(layers) == len(tensors) and all(
        _types_fit(layer, tensor, may_classify) for layer, tensor in zip(layers, tensors)
    )
    found = {
        "layers": len(layers),
        "tensors": len(tensors),
        "types": ["%s as %s" % pair for pair in sorted(pairs)],
    }
    return _check(name, "a layer for each tensor, of its type", found, fitting)


def _types_fit(layer: Layer, tensor: Tensor, may_classify: bool) -> bool:
    is_classifier = layer.shape[:2] == (1, 1) and layer.data_type in _known("classifier_types")
    if may_classify and is_classifier and tensor.dtype == "uint8":
        return True
    return bool(_known("tensor_types").get(layer.data_type) == tensor.dtype)


def _known(name: str) -> Any:
    return read("runtime")[name]["value"]
