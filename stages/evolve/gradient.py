"""The gradient start: soft tables learn which inputs to read and what to answer, and are then made hard.

Every pin begins with a few choices drawn at random. Shares and entries grow sharper from epoch to epoch, so that little
is lost when each pin takes its largest share and each entry its nearer side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Tuple

import numpy as np
from numpy.typing import NDArray

from stages.evolve import soft
from stages.evolve.material import unpack

if TYPE_CHECKING:
    from stages.arrays import Arrays
    from stages.evolve.genomes import Frame, Tables, Wires
    from stages.evolve.material import Part

CHOICES = 16  # inputs that a pin chooses from
BATCH = 32
RATE = 0.02
SHARPEST = 4.0  # in the last epoch, against 1 in the first
LEAD = 1.0  # weight by which a pin prefers the neuron that a tree would give it

Floats = NDArray[np.float64]


@dataclass
class Soft:
    """Soft tables while they learn: all that the next epoch needs, as arrays."""

    choices: NDArray[np.int64]
    weights: Dict[str, Floats]  # `share` [neuron, pin, choice] and `entry` [neuron, entry]
    moments: Dict[str, Floats]  # Adam's, flat: share1, share2, entry1, entry2
    steps: int = 0
    epochs: int = 0

    @classmethod
    def draw(cls, frame: Frame, random: np.random.Generator) -> Soft:
        """Draw choices and weights; the first choice of a pin behind the first layer makes the network a tree."""
        neurons, fan_in = len(frame.low), frame.fan_in
        choices = np.moveaxis(frame.draw(random, CHOICES), 0, 2).copy()
        share = 0.1 * random.standard_normal(choices.shape)
        behind = frame.low > 0
        width, place = (frame.high - frame.low)[:, np.newaxis], np.arange(fan_in)
        begins = np.array([np.flatnonzero(frame.low == low)[0] for low in frame.low])
        tree = frame.low[:, np.newaxis] + (fan_in * (np.arange(neurons) - begins)[:, np.newaxis] + place) % width
        choices[behind, :, 0], share[behind, :, 0] = tree[behind], share[behind, :, 0] + LEAD
        weights = {"share": share, "entry": random.standard_normal((neurons, 2**fan_in))}
        moments = {"%s%d" % (name, order): np.zeros(one.size) for name, one in weights.items() for order in (1, 2)}
        return cls(choices, weights, moments)

    def learn(self, part: Part, random: np.random.Generator, epochs: int) -> float:
        """Go through the part once; return the share of right answers of the soft network."""
        used, choices = self._inputs(len(part.rows))
        bits = np.ascontiguousarray(unpack(part.rows[used]).T.astype(np.uint8))
        label = unpack(part.label).astype(np.uint8)
        sharpness = SHARPEST ** (self.epochs / max(1, epochs - 1))
        order, right = random.permutation(part.size), 0
        for begin in range(0, part.size, BATCH):
            right += self._step(bits, label, order[begin : begin + BATCH], choices, len(used), sharpness)
        self.epochs += 1
        return right / part.size

    def harden(self) -> Tuple[Wires, Tables]:
        """Let each pin take its largest share, and each entry its nearer side."""
        best = self.weights["share"].argmax(axis=2)
        wires = np.take_along_axis(self.choices, best[..., np.newaxis], axis=2)[..., 0]
        bits = self.weights["entry"] > 0
        powers = np.uint64(1) << np.arange(bits.shape[1], dtype=np.uint64)
        return wires, np.where(bits, powers, np.uint64(0)).sum(axis=1, dtype=np.uint64)

    def arrays(self) -> Arrays:
        """Give all that `restored` needs."""
        counts = np.array([self.steps, self.epochs])
        return {"choices": self.choices, "counts": counts, **self.weights, **self.moments}

    @classmethod
    def restored(cls, arrays: Arrays) -> Soft:
        """Make it again from `arrays`."""
        steps, epochs = arrays["counts"].tolist()
        weights = {name: arrays[name].copy() for name in ("share", "entry")}
        moments = {name: arrays[name].copy() for name in ("share1", "share2", "entry1", "entry2")}
        return cls(arrays["choices"], weights, moments, steps, epochs)

    def _inputs(self, candidates: int) -> Tuple[NDArray[np.int64], NDArray[np.int64]]:
        """List the candidates that are read at all, and name the choices within them and the neurons."""
        used = np.unique(self.choices[self.choices < candidates])
        within = np.searchsorted(used, self.choices)
        return used, np.where(self.choices < candidates, within, self.choices - candidates + len(used))

    def _step(
        self,
        bits: NDArray[np.uint8],
        label: NDArray[np.uint8],
        chosen: NDArray[np.int64],
        choices: NDArray[np.int64],
        inputs: int,
        sharpness: float,
    ) -> int:
        share = np.empty_like(self.weights["share"])
        soft.shares(self.weights["share"], sharpness, share)
        root = np.sqrt(1.0 + np.square(sharpness * self.weights["entry"]))
        entries = 0.5 + 0.5 * sharpness * self.weights["entry"] / root
        slopes = {"share": np.zeros_like(share), "entry": np.zeros_like(entries)}
        right = soft.add_slopes(bits, label, chosen, inputs, choices, share, entries, slopes["share"], slopes["entry"])
        inner = np.zeros(share.shape[:2])
        for choice in range(CHOICES):  # in this order everywhere
            inner += share[..., choice] * slopes["share"][..., choice]
        slopes["share"] = sharpness * share * (slopes["share"] - inner[..., np.newaxis])
        slopes["entry"] = slopes["entry"] * (0.5 * sharpness) / (root * root * root)
        self.steps += 1
        for name, slope in slopes.items():
            first, second = self.moments["%s1" % name], self.moments["%s2" % name]
            flat = self.weights[name].reshape(-1)
            soft.step_of_adam(flat, slope.reshape(-1) / len(chosen), first, second, RATE, min(self.steps, 20_000))
        return right
