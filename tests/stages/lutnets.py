"""Networks of lookup tables for tests, drawn at random, and waveforms that suit them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from stages.arrays import write_arrays
from stages.contract import write_json
from stages.lut.network import Network
from stages.waveforms import NAME

if TYPE_CHECKING:
    from pathlib import Path


def network(seed: int, layers: tuple[int, ...] = (8, 1), fan_in: int = 6, inputs: int = 16) -> Network:
    """Draw a network whose comparators are the bits of a waveform themselves."""
    random = np.random.default_rng(seed)
    widths = (inputs, *layers)
    wiring = [random.integers(0, before, (after, fan_in)) for before, after in zip(widths, layers, strict=False)]
    return Network(
        samples=inputs,
        bits=1,
        sample=np.arange(inputs, dtype=np.uint16),
        threshold=np.ones(inputs, np.uint16),
        layers=layers,
        wiring=np.concatenate(wiring).astype(np.uint16),
        tables=random.integers(0, 2 ** (2**fan_in) - 1, sum(layers), np.uint64, endpoint=True),
    )


def networks() -> st.SearchStrategy[Network]:
    """Small networks of every fan-in, with up to four layers."""
    layers = st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple)
    return st.builds(network, st.integers(0, 2**32), layers, st.integers(2, 6), st.integers(1, 10))


def every_vector(inputs: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """All vectors, [vector, input]: vector n has the bits of n, the lowest first."""
    return (np.arange(2**inputs)[:, np.newaxis] >> np.arange(inputs) & 1).astype(np.bool_)


def naive(one: Network, vector: list[bool]) -> list[bool]:
    """What a network answers to a vector, neuron by neuron, as its definition reads."""
    bits = vector
    for rows in one.rows():
        pairs = zip(one.wiring[rows].tolist(), one.tables[rows].tolist(), strict=True)
        bits = [bool(table >> sum(bits[pin] << place for place, pin in enumerate(pins)) & 1) for pins, table in pairs]
    return bits


def dataset(folder: Path, *, train: int = 512, test: int = 128, samples: int = 16, bits: int = 1) -> Path:
    """Write waveforms whose class is whether at least half of their samples are above the middle."""
    folder.mkdir(parents=True)
    random, arrays = np.random.default_rng(1), {}
    for split, count in (("train", train), ("test", test)):
        codes = random.integers(0, 2**bits, (count, samples)).astype(np.uint16)
        labels = (codes >= 2 ** (bits - 1)).sum(axis=1) * 2 >= samples
        arrays[f"{split}_codes"] = codes
        arrays[f"{split}_labels"] = labels.astype(np.uint8)
        arrays[f"{split}_scanned"] = np.where(labels, random.integers(1, 1000, count), 0).astype(np.int32)
    write_arrays(folder / NAME, arrays)
    scan = {"quantity": "delay", "unit": "ns", "parts": 1000}
    told = {"arrays": NAME, "classes": ["single", "double"], "samples": samples, "bits": bits, "scan": scan}
    write_json(folder / "dataset.json", told)
    return folder
