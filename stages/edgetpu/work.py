"""How much arithmetic an operator is: multiply-accumulates, from the shapes in the file."""

from __future__ import annotations

from typing import Sequence, Set

from stages.edgetpu.site import Site, elements


def macs(site: Site) -> int:
    """Count the multiply-accumulates of one inference in a convolution or matrix product; 0 for anything else."""
    weights = site.input(1)
    if weights is None or not site.outputs or not weights.shape:
        return 0
    positions = elements(site.outputs[0].shape[:-1])
    if site.name == "TRANSPOSE_CONV":
        source = site.input(2)
        return elements(weights.shape) * elements(source.shape[:-1]) if source is not None else 0
    if site.name in ("CONV_2D", "FULLY_CONNECTED", "DEPTHWISE_CONV_2D"):
        return positions * elements(weights.shape)
    return 0


def share(found: Sequence[Site], mapped: Set[int]) -> float:
    """Compute the share of multiply-accumulates on the Edge TPU, from 0 to 1; by operators where there are none."""
    total = sum(macs(site) for site in found)
    if total:
        return sum(macs(site) for site in found if site.index in mapped) / total
    return len(mapped) / len(found) if found else 0.0
