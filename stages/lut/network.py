"""A network of lookup tables, checked when it is made, and the one definition of what it answers.

Its inputs are comparators: bit i is 1 where sample `sample[i]` of a waveform is at least `threshold[i]`. Neuron n of a
layer reads `fan_in` bits of the layer before it (the first layer: of the comparators); the bit of pin 0 counts 1, that
of pin 1 counts 2, and so on; the sum names the entry of its table, bit `sum` of `tables[n]`. The last layer answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sized, Tuple

import numpy as np
from numpy.typing import NDArray

FAN_INS = (2, 3, 4, 5, 6)  # one neuron is at most one LUT6
MOST_INPUTS = 4096
MOST_NEURONS = 4096
MOST_LAYERS = 16
MOST_SAMPLES = 4096
MOST_BITS = 16  # of a sample

Bits = NDArray[np.bool_]


class MalformedNetwork(ValueError):  # noqa: N818 - it names the network's state
    """The arrays are no network of lookup tables; the message says why."""


@dataclass(frozen=True)
class Network:
    """A network: `samples` of `bits` bits go in, `layers` are the neurons of each layer, all their rows lie in order.

    `wiring` is [neuron, pin], counted within the layer before; `tables` is [neuron] with 2**fan_in bits in use.

    Raises:
        MalformedNetwork: a size is out of its bounds, or a wire leads nowhere.
    """

    samples: int
    bits: int
    sample: NDArray[np.uint16]
    threshold: NDArray[np.uint16]
    layers: Tuple[int, ...]
    wiring: NDArray[np.uint16]
    tables: NDArray[np.uint64]

    def __post_init__(self) -> None:
        _check_sizes(self)
        if int(self.sample.max()) >= self.samples:
            raise MalformedNetwork("a comparator looks at sample %d of %d" % (int(self.sample.max()), self.samples))
        if int(self.threshold.max()) >= 2**self.bits:
            raise MalformedNetwork("a threshold is %d, of %d bits" % (int(self.threshold.max()), self.bits))
        for number, (before, rows) in enumerate(zip(self.widths, self.rows())):
            if int(self.wiring[rows].max()) >= before:
                raise MalformedNetwork("a wire of layer %d leads to none of the %d bits before it" % (number, before))
        if self.fan_in < 6 and int(self.tables.max()) >> 2**self.fan_in:
            raise MalformedNetwork("a table has more than %d entries" % 2**self.fan_in)

    @property
    def fan_in(self) -> int:
        """Pins of every neuron."""
        return int(self.wiring.shape[1])

    @property
    def inputs(self) -> int:
        """How many comparators there are."""
        return len(self.sample)

    @property
    def outputs(self) -> int:
        """How many bits the network answers."""
        return self.layers[-1]

    @property
    def widths(self) -> Tuple[int, ...]:
        """Bits before each layer, and the answer's."""
        return (self.inputs, *self.layers)

    def rows(self) -> List[slice]:
        """Say where the neurons of each layer lie."""
        ends = np.cumsum([0, *self.layers]).tolist()
        return [slice(begin, end) for begin, end in zip(ends, ends[1:])]

    def compare(self, waveforms: NDArray[np.uint16]) -> Bits:
        """Return the comparators' bits, [waveform, input], for waveforms [waveform, sample]."""
        compared: Bits = waveforms[:, self.sample] >= self.threshold
        return compared

    def answer(self, bits: Bits) -> Bits:
        """Return the last layer's bits, [vector, output], for bits of the comparators, [vector, input]."""
        for rows in self.rows():
            bits = _layer(bits, self.wiring[rows], self.tables[rows])
        return bits


def classes(answers: Bits) -> NDArray[np.int64]:
    """Read answers as class numbers: output 0 counts 1, output 1 counts 2, and so on."""
    weights = 1 << np.arange(answers.shape[1], dtype=np.int64)
    found: NDArray[np.int64] = answers.astype(np.int64) @ weights
    return found


def _layer(bits: Bits, wiring: NDArray[np.uint16], tables: NDArray[np.uint64]) -> Bits:
    weights = np.uint64(1) << np.arange(wiring.shape[1], dtype=np.uint64)
    out = np.empty((len(bits), len(wiring)), np.bool_)
    for neuron, (pins, table) in enumerate(zip(wiring, tables)):  # one at a time: bounded memory for many vectors
        entry = (bits[:, pins] * weights).sum(axis=1, dtype=np.uint64)
        out[:, neuron] = (table >> entry) & np.uint64(1)
    return out


def _check_sizes(network: Network) -> None:
    neurons, pins = network.wiring.shape
    for what, value, least, most in (
        ("samples", network.samples, 1, MOST_SAMPLES),
        ("bits of a sample", network.bits, 1, MOST_BITS),
        ("inputs", network.inputs, 1, MOST_INPUTS),
        ("layers", len(network.layers), 1, MOST_LAYERS),
        ("neurons of a layer", min(network.layers, default=0), 1, MOST_NEURONS),
        ("neurons", sum(network.layers), 1, MOST_NEURONS),
        ("pins of a neuron", pins, FAN_INS[0], FAN_INS[-1]),
    ):
        if not least <= value <= most:
            raise MalformedNetwork("%d %s, expected %d to %d" % (value, what, least, most))
    _check_lengths(neurons, sum(network.layers), network.tables, network.sample, network.threshold)


def _check_lengths(neurons: int, told: int, tables: Sized, sample: Sized, thr: Sized) -> None:
    if len(sample) != len(thr):
        raise MalformedNetwork("%d comparators have %d thresholds" % (len(sample), len(thr)))
    if not neurons == told == len(tables):
        raise MalformedNetwork("%d rows of wires, %d neurons, %d tables" % (neurons, told, len(tables)))
