"""`network.npz`: a network of lookup tables, the same bytes for the same network; read with suspicion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stages.arrays import Expected, read_arrays, write_arrays
from stages.contract import InputError
from stages.lut.network import MalformedNetwork, Network

if TYPE_CHECKING:
    from pathlib import Path

    from stages.arrays import Arrays

NAME = "network.npz"
VERSION = 1
MOST_BYTES = 2**20  # of one array: the largest network that `Network` allows takes 64 KiB
REMEDY = "evolve the network again"
ARRAYS = {
    "format": Expected("uint16", 1),  # version, samples, bits of a sample
    "layers": Expected("uint16", 1),
    "sample": Expected("uint16", 1),
    "tables": Expected("uint64", 1),
    "threshold": Expected("uint16", 1),
    "wiring": Expected("uint16", 2),
}


def write_network(folder: Path, network: Network) -> None:
    """Write `network.npz`."""
    arrays: Arrays = {
        "format": np.array([VERSION, network.samples, network.bits], np.uint16),
        "layers": np.array(network.layers, np.uint16),
        "sample": network.sample.astype(np.uint16),
        "tables": network.tables.astype(np.uint64),
        "threshold": network.threshold.astype(np.uint16),
        "wiring": network.wiring.astype(np.uint16),
    }
    write_arrays(folder / NAME, arrays)


def read_network(folder: Path) -> Network:
    """Read `network.npz`.

    Raises:
        InputError: it is missing, damaged, or no network.
    """
    arrays = read_arrays(folder / NAME, ARRAYS, MOST_BYTES, REMEDY)
    told = arrays["format"].tolist()
    if len(told) != 3 or told[0] != VERSION:
        raise InputError("%s has the format %r, expected version %d" % (NAME, told, VERSION), REMEDY)
    try:
        return Network(
            samples=told[1],
            bits=told[2],
            sample=arrays["sample"],
            threshold=arrays["threshold"],
            layers=tuple(arrays["layers"].tolist()),
            wiring=arrays["wiring"],
            tables=arrays["tables"],
        )
    except MalformedNetwork as error:
        raise InputError("%s is no network of lookup tables: %s" % (NAME, error), REMEDY) from error
