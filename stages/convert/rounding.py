"""Rounds the weights of a matrix to few bits so that what it makes of its inputs changes least.

All that is known of the inputs is their Gram matrix, the mean of x x^T over places and images: the mean square of the
change of one output is e H e^T for the change e of its weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Tuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARES = np.linspace(1.0, 0.45, 23)  # of the largest weight, that the range of a channel is tried with
FEW_SHARES = np.linspace(1.0, 0.1, 46)  # the same with two bits: most weights are far smaller than the largest codes
FEWEST = 2  # bits
DAMPING = 0.01  # of the mean square of the inputs: the share of directions that the calibration images did not show
BETTER = 0.999  # of the change so far: finer steps must be better by more than the last digits of a float
LEAST = 1e-12  # a channel whose weights are all zero has no range

Rounded = Tuple["NDArray[np.int8]", "NDArray[np.float64]"]  # codes [output, input], a scale for each output


def highest(bits: int) -> int:
    """Largest code; the smallest is its negative, so that no sign is worse off.

    Of two bits the codes are -3, -1, 1 and 3: with zero among them there would be three. For normally distributed
    values the least mean square error of four such codes is 0.119 of the variance, of three it is 0.190 (Max,
    Quantizing for minimum distortion, IRE Transactions on Information Theory 6, 1960, table II). Trained networks do
    better with them too (Liu et al., ParetoQ, arXiv:2502.02631, section 3.2).
    """
    return 3 if bits == FEWEST else int(2 ** (bits - 1) - 1)


def reach(bits: int) -> float:
    """Give how far from zero a value is learnt; the codes of two bits stand in the middle of what they stand for."""
    return float(highest(bits) + (bits == FEWEST))


def nearest_codes(values: NDArray[np.float64], bits: int) -> NDArray[np.float64]:
    """Give the nearest code of each value, which is in units of the scale."""
    found = 2 * np.floor(values / 2) + 1 if bits == FEWEST else np.rint(values)
    return np.clip(found, -highest(bits), highest(bits))


def gram(inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean of x x^T over all rows of the inputs, [row, input], damped so that it has an inverse."""
    found: NDArray[np.float64] = (inputs.T @ inputs).astype(np.float64) / len(inputs)
    found += np.eye(len(found)) * (DAMPING * np.trace(found) / len(found) + LEAST)
    return found


def to_nearest(weights: NDArray[np.float64], squares: Optional[NDArray[np.float64]], bits: int) -> Rounded:
    """Round each weight to the nearest step, with the scale whose change e has the least e H e^T.

    `squares` is H; without it nothing but the weights is looked at, as if it were the identity. Weights that already
    are whole steps apart are found to be so, also where the highest codes are not used.
    """
    most, limits = highest(bits), np.maximum(np.abs(weights).max(axis=1), LEAST)
    shares = FEW_SHARES if bits == FEWEST else SHARES
    codes, scales = np.zeros(weights.shape, np.int8), limits / most
    least = np.full(len(weights), np.inf)
    for steps in (*range(1, most), *(most / shares)):  # from zero to the largest weight
        tried = limits / steps
        made = nearest_codes(weights / tried[:, None], bits)
        change = made * tried[:, None] - weights
        cost = np.einsum("oi,oi->o", change if squares is None else change @ squares, change)
        better = cost < least * BETTER
        codes[better], scales[better], least[better] = made[better], tried[better], cost[better]
    return codes, scales


def in_turn(weights: NDArray[np.float64], squares: NDArray[np.float64], bits: int) -> Rounded:
    """Round one input's weights after the other; those still to come make up for what each one changed.

    The order is that of the inputs' energy, greatest first. Source: Frantar et al., GPTQ, arXiv:2210.17323, and
    Hassibi and Stork, Second order derivatives for network pruning, NIPS 1992.
    """
    _, scales = to_nearest(weights, squares, bits)
    order = np.argsort(-np.diag(squares), kind="stable")
    left = weights[:, order].copy()
    upper = np.linalg.cholesky(np.linalg.inv(squares[np.ix_(order, order)])).T
    codes = np.zeros(weights.shape, np.int8)
    for place, column in enumerate(order):
        code = nearest_codes(left[:, place] / scales, bits)
        codes[:, column] = code
        change = (left[:, place] - code * scales) / upper[place, place]
        left[:, place + 1 :] -= np.outer(change, upper[place, place + 1 :])
    return codes, scales
