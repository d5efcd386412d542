"""How much of the activation memory a file needs: what one operator reads and writes must fit on the tiles.

An operator that needs more is cut into pieces by the compiler, which can fail (google-coral/edgetpu issues 439, 557,
608, 653). Whether it does is not known beforehand, and not monotonic in the input size: this warns and never refuses.
"""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Set, Tuple

from stages.edgetpu.knowledge import read
from stages.edgetpu.site import Site, elements, layer


def budget() -> int:
    """Compute the bytes of activation memory on all tiles together."""
    chip = read("chip")
    return int(chip["tiles"]["value"] * chip["narrow_bytes_per_tile"]["value"])


def live_bytes(site: Site) -> int:
    """Count the bytes that an operator's computed inputs and its outputs take; one byte an element on the chip."""
    return sum(elements(tensor.shape) for tensor in (*site.computed, *site.outputs))


def summary(found: Sequence[Site], mapped: Set[int]) -> Dict[str, Any]:
    """Name the mapped operator with the largest activations; null when none is mapped."""
    largest, size = _largest(found, mapped)
    return {
        "budget_bytes": budget(),
        "largest_bytes": size,
        "operator": largest.index if largest else None,
        "tensor": largest.tensor if largest else None,
    }


def warnings(found: Sequence[Site], mapped: Set[int]) -> List[str]:
    """Warn of activations that must be cut into pieces."""
    largest, size = _largest(found, mapped)
    if largest is None or size <= budget():
        return []
    text = (
        "operator %d (%s, layer %r) works on %.2f MiB of activations, the tiles hold %.1f MiB: the compiler may give up"
    )
    return [text % (largest.index, largest.name, layer(largest.tensor), size / 2**20, budget() / 2**20)]


def _largest(found: Sequence[Site], mapped: Set[int]) -> Tuple[Any, int]:
    sizes = [(live_bytes(site), -site.index, site) for site in found if site.index in mapped]
    if not sizes:
        return None, 0
    size, _, site = max(sizes, key=lambda entry: entry[:2])
    return site, size
