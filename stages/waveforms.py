"""`waveforms.npz`: waveforms as whole numbers with their classes, as the dataset stage hands them on.

A waveform is any row of samples that comparators can look at. Each has one further quantity that no network sees: that
against which the report draws how many of the second class are found.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Tuple

import numpy as np

from stages.arrays import Expected, read_arrays
from stages.contract import InputError
from stages.lut.network import MOST_BITS, MOST_SAMPLES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NAME = "waveforms.npz"
SPLITS = ("train", "test")
MOST_BYTES = 2**30  # of one array
REMEDY = "make the data set again"
ARRAYS = {
    "codes": Expected("uint16", 2),  # [waveform, sample]
    "labels": Expected("uint8", 1),
    "scanned": Expected("int32", 1),  # the further quantity, in the parts that the description tells
}


@dataclass(frozen=True)
class Split:
    """Waveforms of one split: `codes` [waveform, sample], `labels` and `scanned` [waveform]."""

    codes: NDArray[np.uint16]
    labels: NDArray[np.uint8]
    scanned: NDArray[np.int32]

    def __len__(self) -> int:
        """Count the waveforms."""
        return len(self.labels)


@dataclass(frozen=True)
class Scan:
    """What `scanned` holds: its name, the unit in which it is drawn, and how many of its whole numbers make one."""

    quantity: str
    unit: str
    parts: int


@dataclass(frozen=True)
class Waveforms:
    """A data set: two classes, waveforms of `samples` samples of `bits` bits."""

    classes: Tuple[str, ...]
    samples: int
    bits: int
    scan: Scan
    train: Split
    test: Split


def read_waveforms(folder: Path) -> Waveforms:
    """Read and check a data set.

    Raises:
        InputError: it is not what the dataset stage writes.
    """
    told = _description(folder)
    wanted = {"%s_%s" % (split, name): kind for split in SPLITS for name, kind in ARRAYS.items()}
    arrays = read_arrays(folder / NAME, wanted, MOST_BYTES, REMEDY)
    splits = {split: Split(*(arrays["%s_%s" % (split, name)] for name in ARRAYS)) for split in SPLITS}
    for name, split in splits.items():
        _check(name, split, told["samples"], told["bits"], len(told["classes"]))
    scan = Scan(**told["scan"])
    return Waveforms(tuple(told["classes"]), told["samples"], told["bits"], scan, splits["train"], splits["test"])


def _description(folder: Path) -> Dict[str, Any]:
    try:
        told: Dict[str, Any] = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        is_ours = told["arrays"] == NAME and len(told["classes"]) == 2
        samples, bits, parts = int(told["samples"]), int(told["bits"]), int(Scan(**told["scan"]).parts)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError("dataset.json is not that of waveforms: %s" % error, REMEDY) from error
    if not is_ours or not (0 < bits <= MOST_BITS and 0 < samples <= MOST_SAMPLES and parts > 0):
        raise InputError("dataset.json describes no waveforms of two classes", REMEDY)
    return told


def _check(name: str, split: Split, samples: int, bits: int, classes: int) -> None:
    same = len(split.labels) == len(split.codes) == len(split.scanned)
    if not same or split.codes.shape[1] != samples:
        raise InputError("the %s arrays of %s do not fit each other" % (name, NAME), REMEDY)
    if set(np.unique(split.labels).tolist()) != set(range(classes)):
        raise InputError("the %s split of %s has not both classes" % (name, NAME), REMEDY)
    if int(split.codes.max()) >= 2**bits:
        raise InputError("%s holds samples of more than %d bits" % (NAME, bits), REMEDY)
