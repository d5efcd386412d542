"""Random numbers of one event: xoshiro256++ seeded from (seed, split, index), and nothing else.

The generator lives inside the kernel, so that its stream cannot change with a NumPy release. It is
xoshiro256++ of Blackman and Vigna, ACM Trans. Math. Softw. 47 (2021) 36.
"""

from __future__ import annotations

import math
from typing import Tuple

import numpy as np
import numpy.typing as npt

from stages.dataset.lartpc.jit import jit

#: State of the generator: four unsigned 64-bit words, changed in place.
State = npt.NDArray[np.uint64]

SPLIT_CODE = {"train": 0, "test": 1, "val": 2, "calib": 3}

_TWO_PI = 2.0 * math.pi
_U11, _U17, _U19 = np.uint64(11), np.uint64(17), np.uint64(19)
_U23, _U41, _U45 = np.uint64(23), np.uint64(41), np.uint64(45)


def event_state(seed: int, split: str, index: int) -> State:
    """Return the generator state of one event.

    `SeedSequence` is NumPy's documented, version-stable hash: events of different splits, and
    different events of one split, never share a stream.
    """
    sequence = np.random.SeedSequence([seed, SPLIT_CODE[split], index])
    return np.asarray(sequence.generate_state(4, np.uint64), dtype=np.uint64)


@jit
def next_u64(s: State) -> np.uint64:
    """Advance the generator and return 64 random bits."""
    s0, s1, s2, s3 = s[0], s[1], s[2], s[3]
    total = s0 + s3
    result = ((total << _U23) | (total >> _U41)) + s0
    shifted = s1 << _U17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = (s3 << _U45) | (s3 >> _U19)
    s[0], s[1], s[2], s[3] = s0, s1, s2, s3
    return np.uint64(result)


@jit
def u01(s: State) -> float:
    """Return a uniform number in (0, 1]: never 0; 1 only by rounding, once in 2^53 draws."""
    return (float(next_u64(s) >> _U11) + 0.5) * 2.0**-53


@jit
def gauss(s: State) -> float:
    """Return a standard normal number (Box and Muller; radius first, nothing kept)."""
    radius = math.sqrt(-2.0 * math.log(u01(s)))
    return radius * math.cos(_TWO_PI * u01(s))


@jit
def expo(s: State) -> float:
    """Return an exponential number of mean 1."""
    return -math.log(u01(s))


@jit
def poisson(s: State, mean: float) -> int:
    """Return a Poisson number; `mean` must stay far below 700, where exp(-mean) underflows."""
    limit = math.exp(-mean)
    count = 0
    product = u01(s)
    while product > limit:
        count += 1
        product *= u01(s)
    return count


@jit
def isotropic(s: State) -> Tuple[float, float, float]:
    """Return a direction uniform over the sphere."""
    cosine = 2.0 * u01(s) - 1.0
    sine = math.sqrt(max(0.0, 1.0 - cosine * cosine))
    phi = _TWO_PI * u01(s)
    return sine * math.cos(phi), sine * math.sin(phi), cosine


@jit
def turn(x: float, y: float, z: float, dx: float, dy: float, dz: float) -> Tuple[float, float, float]:
    """Rotate the vector (x, y, z) by the rotation that takes the z axis to the unit vector d."""
    across2 = dx * dx + dy * dy
    if across2 < 1e-14:
        if dz > 0.0:
            return x, y, z
        return -x, y, -z
    across = math.sqrt(across2)
    along = (dz * x) / across
    side = y / across
    return dx * along - dy * side + dx * z, dy * along + dx * side + dy * z, dz * z - across * x
