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
MOST_BYTES = 2**30  # of all rows together: the search works on copies of a part of them, and the stage has 4 GiB
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
        InputError: too few waveforms, none whose samples differ, or more candidates than there is memory for.
    """
    words = len(train) // WORD
    kept = words - words // VALIDATION
    if words // VALIDATION == 0:
        least = WORD * VALIDATION
        raise InputError("%d training waveforms are too few" % len(train), "give the training split %d or more" % least)
    sample, threshold = _candidates(train.codes[: kept * WORD])
    if not len(sample):
        raise InputError(
            "the training waveforms are all alike", "give waveforms with samples that are larger in some than in others"
        )
    _check_room(len(sample), words)
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
    thresholds = [_telling(column) for column in codes.T]
    return np.repeat(np.arange(len(thresholds)), [len(one) for one in thresholds]), np.concatenate(thresholds)


def _telling(column: NDArray[np.uint16]) -> NDArray[np.int64]:
    """List the thresholds of one sample that tell waveforms apart."""
    share = 1.0 - np.cumsum(np.bincount(column))[:-1] / len(column)  # of waveforms at or above threshold 1, 2, ...
    return np.flatnonzero((share > LEAST) & (share < 1.0 - LEAST)) + 1


def _check_room(candidates: int, words: int) -> None:
    size = candidates * words * WORD // 8
    if size > MOST_BYTES:
        raise InputError(
            "%d comparisons of %d training waveforms take %.1f GiB, at most %.1f are held"
            % (candidates, words * WORD, size / 2**30, MOST_BYTES / 2**30),
            "give fewer training waveforms, fewer samples of each, or samples of fewer bits",
        )


def _part(
    codes: NDArray[np.uint16], labels: NDArray[np.uint8], sample: NDArray[np.int64], threshold: NDArray[np.int64]
) -> Part:
    rows = np.empty((len(sample), len(codes) // WORD), np.uint64)
    for row, column, least in zip(rows, sample, threshold):
        row[:] = pack(codes[:, column] >= least)
    return Part(rows, pack(labels == 1))
