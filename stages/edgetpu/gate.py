"""What compiler 16 will do with a TFLite file, said before it is asked: which operators map, and what is in the way."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from stages.contract import InputError
from stages.edgetpu import activations, parameters, work
from stages.edgetpu.compiled.operator import CUSTOM_CODE
from stages.edgetpu.log.status import MAPPED
from stages.edgetpu.partition import first_partition
from stages.edgetpu.refused import Fault, doubts, fault
from stages.edgetpu.site import Site, layer, sites
from stages.edgetpu.support import Refusal, doubt, refusal
from stages.tflite.model import Model, read_model

VERSION = 1
CONSEQUENCE = "More than one subgraph is not supported"
NOT_LOADED = "the compiler refuses the file"


def check(content: bytes) -> Dict[str, Any]:
    """Judge a TFLite file: the document of `check --json`.

    Raises:
        MalformedFile: it is not a TFLite file.
        InputError: it is compiled already.
    """
    model = read_model(content)
    found = sites(model.main)
    if any(site.name == CUSTOM_CODE for site in found):
        raise InputError("the file is compiled for the Edge TPU already", "use inspect to see what is in it")
    refusals = [refusal(site) for site in found]
    whole = fault(found)
    mapped = set() if whole else first_partition(model.main, [told is None for told in refusals])
    rows = [_row(site, told, site.index in mapped, whole) for site, told in zip(found, refusals)]
    blockers = _blockers(rows, found, refusals, whole)
    reason = _failure(whole, mapped, blockers)
    return {
        "schema": "coralline.check",
        "version": VERSION,
        "compiler": "16.0.384591198",
        "operators": len(found),
        "mapped": len(mapped),
        "cpu": dict(sorted(Counter(site.name for site in found if site.index not in mapped).items())),
        "first_blocker": blockers[0] if blockers else None,
        "blockers": blockers,
        "compiles": reason is None,
        "reason": reason,
        "share_of_work": work.share(found, mapped),
        "parameters": parameters.summary(found, mapped),
        "activations": activations.summary(found, mapped),
        "warnings": _warnings(model, found, mapped),
        "rows": rows,
    }


def _row(site: Site, told: Optional[Refusal], is_mapped: bool, whole: Optional[Fault]) -> Dict[str, Any]:
    """Describe one operator: `status` is what the compiler's own table would say."""
    status = MAPPED if is_mapped else (told.status if told else CONSEQUENCE)
    return {
        "index": site.index,
        "operator": site.name,
        "version": site.operator.version,
        "tensor": site.tensor,
        "layer": layer(site.tensor),
        "device": "tpu" if is_mapped else "cpu",
        "status": NOT_LOADED if whole else status,
        "reason": None if is_mapped or not told else told.reason,
    }


def _blockers(
    rows: Sequence[Dict[str, Any]],
    found: Sequence[Site],
    refusals: Sequence[Optional[Refusal]],
    whole: Optional[Fault],
) -> List[Dict[str, Any]]:
    """List what is in the way for its own sake, in graph order: what refuses the whole file stands first."""
    told = [] if whole is None else [_blocker(whole.index, whole.operator, whole.tensor, whole.reason, whole.advice)]
    for site, refused in zip(found, refusals):
        if refused is not None and not (whole and whole.index == site.index):
            told.append(_blocker(site.index, site.name, site.tensor, refused.reason, refused.advice))
    cut = _cut_off(found, rows)
    return [{**blocker, "cuts_off": cut.get(blocker["index"], 0)} for blocker in told]


def _blocker(index: int, operator: str, tensor: str, reason: str, remedy: str) -> Dict[str, Any]:
    return {
        "index": index,
        "operator": operator,
        "tensor": tensor,
        "layer": layer(tensor),
        "reason": reason,
        "advice": remedy,
    }


def _cut_off(found: Sequence[Site], rows: Sequence[Dict[str, Any]]) -> Dict[int, int]:
    """Count for each refused operator the supported ones behind it that stay on the CPU; the nearest one counts."""
    nearest: Dict[str, int] = {}
    counts: Dict[int, int] = {}
    for site, row in zip(found, rows):
        behind = [nearest[tensor.name] for tensor in site.computed if tensor.name in nearest]
        own = site.index if row["reason"] else (max(behind) if behind and row["device"] == "cpu" else None)
        if own is None:
            continue
        nearest.update({tensor.name: own for tensor in site.outputs})
        if own != site.index:
            counts[own] = counts.get(own, 0) + 1
    return counts


def _failure(whole: Optional[Fault], mapped: Set[int], blockers: Sequence[Dict[str, Any]]) -> Optional[str]:
    """Say why there would be no compiled file that uses the Edge TPU."""
    if whole is not None:
        return whole.reason
    if mapped:
        return None
    if any("float" in blocker["reason"] for blocker in blockers):
        return "the model is not quantised: no operator has 8-bit inputs and outputs"
    return "no operator is mapped: %s" % (blockers[0]["reason"] if blockers else "it has none")


def _warnings(model: Model, found: Sequence[Site], mapped: Set[int]) -> List[str]:
    unsure = [(site, text) for site in found for text in doubts(site)]
    unsure += [(site, text) for site in found if site.index in mapped for text in (doubt(site),) if text]
    told = _grouped_by_kind(unsure)
    unknown = [t.name for t in (model.main.tensors[i] for i in model.main.inputs) if -1 in t.shape_signature]
    if unknown:
        told.append("input %r has an unknown dimension, taken as 1: run check --fix to state it" % unknown[0])
    if len(model.subgraphs) > 1:
        told.append("the file holds %d graphs; only the first is judged" % len(model.subgraphs))
    return told + parameters.warnings(found) + activations.warnings(found, mapped)


def _grouped_by_kind(unsure: Sequence[Tuple[Site, str]]) -> List[str]:
    """Say a doubt once for each kind of operator, with the first place and how many more there are."""
    by_kind: Dict[str, List[Tuple[Site, str]]] = {}
    for site, text in unsure:
        by_kind.setdefault(site.name, []).append((site, text))
    told = []
    for entries in by_kind.values():
        site, text = entries[0]
        more = ", and %d more" % (len(entries) - 1) if len(entries) > 1 else ""
        told.append("%s (operator %d, layer %s%s)" % (text, site.index, layer(site.tensor), more))
    return told
