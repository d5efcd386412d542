"""For which files compiler 16 gives up as a whole, whatever the single operators are: it loads them, or it does not.

Texts and causes: the failure catalogue beside this file; versions: operators.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Optional, Sequence

from stages.edgetpu.knowledge import operators
from stages.edgetpu.support import advice
from stages.tflite.names import OPERATORS

if TYPE_CHECKING:
    from stages.edgetpu.site import Site


@dataclass(frozen=True)
class Fault:
    """Why a file is not compiled at all: the operator and tensor where it shows, the reason, and what to change."""

    index: int
    operator: str
    tensor: str
    reason: str
    advice: str


def fault(found: Sequence[Site]) -> Optional[Fault]:
    """Find the first operator for which the compiler refuses the whole file; None when it loads."""
    for rule in (_not_known, _custom, _dynamic, _grouped, _scale):
        for site in found:
            told = rule(site)
            if told:
                return told
    return None


def doubts(site: Site) -> List[str]:
    """Say what is not known of an operator's version."""
    known = operators()["operators"].get(site.name, {})
    if site.operator.version in known.get("uncertain_versions", ()):
        return ["%s version %d came with TensorFlow 2.6: it may be too new" % (site.name, site.operator.version)]
    return []


def _at(site: Site, reason: str, remedy: str) -> Fault:
    return Fault(site.index, site.name, site.tensor, reason, remedy)


def _not_known(site: Site) -> Optional[Fault]:
    """Judge the version as the TFLite inside the compiler does when it loads a file."""
    if site.operator.is_custom:
        return None
    known = operators()["operators"].get(site.name)
    version = site.operator.version
    if known is None:
        old = site.name in OPERATORS and OPERATORS.index(site.name) <= OPERATORS.index("HASHTABLE_SIZE")
        return None if old else _at(site, "operator %s is newer than the compiler" % site.name, advice(site.name))
    if version <= known["newest_version"] or version in known.get("uncertain_versions", ()):
        return None
    reason = "%s version %d is newer than the compiler, which knows version %d"
    if not known["newest_version"]:
        return _at(site, "operator %s is newer than the compiler" % site.name, advice(site.name))
    return _at(site, reason % (site.name, version, known["newest_version"]), _older(site))


def _older(site: Site) -> str:
    if site.name == "CONV_2D":
        return "use no grouped convolution, or run check --fix when the network has none"
    if site.name in operators()["advice"]:
        return advice(site.name)
    return "run check --fix, which lowers the version where the newer feature is not used"


def _custom(site: Site) -> Optional[Fault]:
    names = operators()["custom_operators"]["names"]
    if not site.operator.is_custom or site.name in names:
        return None
    return _at(site, "custom operator %r is unknown to the compiler" % site.name, "cut the network before it")


def _dynamic(site: Site) -> Optional[Fault]:
    remedy = "convert with a batch of exactly one image and fixed sizes"
    if site.name in operators()["computed_shapes"]["names"]:
        return _at(site, "the shape of %r depends on values" % site.tensor, remedy)
    for tensor in (*site.computed, *site.outputs):
        if any(size <= 0 for size in tensor.shape):
            return _at(site, "tensor %r has an unknown dimension" % tensor.name, remedy)
    for number in operators()["shape_operands"].get(site.name, ()):
        operand = site.input(number)
        if operand is not None and not operand.is_constant:
            reason = "the shape of %r is computed while it runs (from %r)" % (site.tensor, operand.name)
            return _at(site, reason, remedy)
    return None


def _grouped(site: Site) -> Optional[Fault]:
    """Find a grouped convolution whose version was lowered by hand: the compiler loads it and then fails."""
    source, weights = site.input(0), site.input(1)
    if site.name != "CONV_2D" or source is None or weights is None or not source.shape or not weights.shape:
        return None
    if source.shape[-1] == weights.shape[-1]:
        return None
    reason = "it is a grouped convolution: %d channels in, %d in its weights" % (source.shape[-1], weights.shape[-1])
    return _at(site, reason, "use a depthwise convolution, or one convolution for each group")


def _scale(site: Site) -> Optional[Fault]:
    for tensor in (*site.inputs, *site.outputs):
        if tensor is not None and not tensor.has_sound_scales:
            reason = "a scale of %r is zero, negative or no number" % tensor.name
            return _at(site, reason, "calibrate again: the tensor was constant over all calibration images")
    return None
