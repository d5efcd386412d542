"""The vectors on which hardware is compared with Python, as text for the test benches.

Up to 16 inputs every vector there is; with more, what the comparators say of every test waveform, and vectors drawn at
random, most of which no waveform can cause: a core must be right on those as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, List

import numpy as np

from stages.synthesise import vhdl

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.lut.network import Bits, Network

MOST_EXHAUSTIVE = 16
SEED = 20260101
CHUNK = 65_536  # vectors whose text is in memory at a time


@dataclass(frozen=True)
class Vectors:
    """`bits` [vector, input] with the `answers` [vector, output] of Python; `about` says what they are."""

    bits: Bits
    answers: Bits
    about: str

    def __len__(self) -> int:
        """Count the vectors."""
        return len(self.bits)

    def write(self, folder: Path, network: Network) -> None:
        """Write `vectors.txt`, hexadecimal, and `expected.txt`, binary; the highest bit comes first."""
        with (folder / "vectors.txt").open("w", encoding="ascii") as file:
            for first in range(0, len(self), CHUNK):
                lines = _hexadecimal(self.bits[first : first + CHUNK], vhdl.digits(network))
                file.writelines("%s\n" % line for line in lines)
        (folder / "expected.txt").write_text("\n".join(binary(self.answers)) + "\n", "ascii")


def draw(network: Network, waveforms: NDArray[np.uint16], count: int) -> Vectors:
    """Return every vector, or else those of the waveforms and `count` random ones."""
    if network.inputs <= MOST_EXHAUSTIVE:
        numbers = np.arange(2**network.inputs)[:, np.newaxis]
        bits = (numbers >> np.arange(network.inputs) & 1).astype(np.bool_)
        return Vectors(bits, network.answer(bits), "all %s vectors" % f"{len(bits):,}")
    octets = np.random.default_rng(SEED).integers(0, 256, (count, -(-network.inputs // 8)), np.uint8)
    random = np.unpackbits(octets, axis=1, count=network.inputs).view(np.bool_)
    bits = np.concatenate([network.compare(waveforms), random])
    about = "those of %s test waveforms and %s random vectors" % (f"{len(waveforms):,}", f"{count:,}")
    return Vectors(bits, network.answer(bits), about)


def binary(bits: Bits) -> List[str]:
    """Write bits as lines of 0 and 1, the highest first."""
    octets = np.where(bits[:, ::-1], ord("1"), ord("0")).astype(np.uint8)
    return [row.tobytes().decode("ascii") for row in octets]


def _hexadecimal(bits: Bits, digits: int) -> List[str]:
    even = digits + digits % 2
    padded = np.zeros((len(bits), 4 * even), np.bool_)
    padded[:, : bits.shape[1]] = bits
    octets = np.packbits(padded[:, ::-1], axis=1)
    return [row.tobytes().hex()[even - digits :] for row in octets]
