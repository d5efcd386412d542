"""Which processor ran a benchmark and what its TDP is: from tdp.json, or as the user says.

A name that the table does not know has no TDP: it is never guessed from a relative, nor from the whole of a slice.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple

if TYPE_CHECKING:
    from stages.report.gather import Artifact

TABLE: Dict[str, Any] = json.loads(Path(__file__).with_name("tdp.json").read_text(encoding="utf-8"))
KINDS = ("cpu", "gpu", "edgetpu")
EDGE_TPU = "Edge TPU, Coral USB Accelerator"
SLICE = "mig"  # CUDA's word in the name of a GPU that is a part of one
SIGNS = ("(R)", "(TM)")  # as /proc/cpuinfo writes them in Intel's names


@dataclass(frozen=True)
class Processor:
    """What ran a benchmark: its kind (`cpu`, `gpu`, `edgetpu`), its name, and its TDP where that is known."""

    kind: str
    name: str
    watts: Optional[float] = None
    source: str = ""


def processor(artifact: Artifact, told: Mapping[str, Any]) -> Processor:
    """Name the processor of a benchmark, with the TDP of the parameter `KIND_tdp_w`, or where that is 0 the table's."""
    kind, name = named(artifact)
    given = float(told["%s_tdp_w" % kind])
    if given:
        return Processor(kind, name, given, "given with --tdp")
    found = look_up(kind, name)
    return Processor(kind, name) if found is None else Processor(kind, name, found["watts"], _source(found))


def look_up(kind: str, name: str) -> Optional[Dict[str, Any]]:
    """Find the entry whose words stand in a processor's name; of several, the one with most words."""
    words = _words(name)
    if is_slice(name):
        return None
    fitting = [
        (len(match.split()), entry)
        for entry in TABLE[kind]
        for match in entry["match"]
        if _stands_in(_words(match), words)
    ]
    return max(fitting, key=lambda one: one[0])[1] if fitting else None


def is_slice(name: str) -> bool:
    """Whether a processor's name is that of a part of one (MIG), which has a TDP of its own that nobody published."""
    return SLICE in _words(name)


def named(artifact: Artifact) -> Tuple[str, str]:
    """Name what ran a benchmark, as the benchmark itself found it: its kind and its name."""
    latency = artifact.read_json("latency.json")
    if artifact.axis("runtime") == "edgetpu":
        return "edgetpu", EDGE_TPU
    gpu = latency["runtime"].get("gpu")
    return ("gpu", str(gpu)) if gpu else ("cpu", str(latency["machine"]["cpu_model"]))


def _source(entry: Mapping[str, Any]) -> str:
    return "; ".join(entry[name] for name in ("source", "note") if name in entry)


def _words(name: str) -> Tuple[str, ...]:
    for sign in SIGNS:
        name = name.replace(sign, " ")
    return tuple(name.lower().split())


def _stands_in(wanted: Tuple[str, ...], words: Tuple[str, ...]) -> bool:
    places = range(len(words) - len(wanted) + 1)
    return any(words[place : place + len(wanted)] == wanted for place in places)
