"""The training waveforms as the search sees them: candidate inputs as rows of words, and three parts kept apart.

The search makes tables on one half of its part and scores them on the other; the validation part chooses among what
the search found. The test split is not looked at here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Tuple

import numpy as np
from numpy.typing import NDArray

from stages.contract import InputError

if TYPE_CHECKING:
    from stages.waveforms import Split

WORD = 64
VALIDATION = 4  # one in so many training waveforms
LEAST = 0.01  # a candidate is 1 for at least this share of the waveforms, and for at most the rest: others say little

Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Part:
    """Waveforms in words: `rows` is [candidate, word], `label` is [word]."""

    rows: Words
    label: Words

    @property
    def size(self) -> int:
        """Count the waveforms."""
        return WORD * len(self.label)


@dataclass(frozen=True)
class Material:
    """Candidate inputs, as the sample and the threshold that each compares, and the two parts of the training split."""

    sample: NDArray[np.int64]
    threshold: NDArray[np.int64]
    search: Part
    validation: Part

    @property
    def candidates(self) -> int:
        """How many inputs the search may choose from."""
        return len(self.sample)


def prepare(train: Split) -> Material:
    """Divide the training split, in whole words, and find the candidates on the search's part.

    Raises:
        InputError: too few waveforms, or none whose samples differ.
    """
    words = len(train) // WORD
    kept = words - words // VALIDATION
    if words // VALIDATION == 0:
        raise InputError("%d training waveforms are too few" % len(train), "raise dataset.train_pulses")
    sample, threshold = _candidates(train.codes[: kept * WORD])
    if not len(sample):
        raise InputError("the training waveforms are all alike", "is the amplitude above dataset.codes_per_pe?")
    parts = [
        _part(train.codes[chosen], train.labels[chosen], sample, threshold)
        for chosen in (slice(0, kept * WORD), slice(kept * WORD, words * WORD))
    ]
    return Material(sample, threshold, parts[0], parts[1])


def pack(bits: NDArray[np.bool_]) -> Words:
    """Put the last axis, a multiple of 64 long, into words: its first element is the lowest bit."""
    packed: Words = np.packbits(bits, axis=-1, bitorder="little").view("<u8").astype(np.uint64)
    return packed


def unpack(words: Words) -> NDArray[np.bool_]:
    """Take the last axis out of words again."""
    octets = np.ascontiguousarray(words.astype("<u8")).view(np.uint8)
    return np.unpackbits(octets, axis=-1, bitorder="little").astype(np.bool_)


def _candidates(codes: NDArray[np.uint16]) -> Tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List the comparisons that tell waveforms apart, by sample and threshold."""
    top = int(codes.max()) + 1
    counts = np.stack([np.bincount(column, minlength=top) for column in codes.T])
    share = 1.0 - np.cumsum(counts, axis=1)[:, :-1] / len(codes)  # of waveforms at or above threshold 1, 2, ...
    sample, place = np.nonzero((share > LEAST) & (share < 1.0 - LEAST))
    return sample, place + 1


def _part(
    codes: NDArray[np.uint16], labels: NDArray[np.uint8], sample: NDArray[np.int64], threshold: NDArray[np.int64]
) -> Part:
    rows = np.stack([pack(codes[:, column] >= least) for column, least in zip(sample, threshold)])
    return Part(rows, pack(labels == 1))
