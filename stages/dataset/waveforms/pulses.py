"""Simulates digitised pulses: the same whole numbers for the same settings and seed, on any machine.

A light pulse is a Poisson number of photoelectrons, each later by the scintillator's exponential decay. Each fires one
cell, and by crosstalk a geometric number of neighbours; a cell's pulse is exp(-t/fall) - exp(-t/rise), scaled to a top
of 1. Dark counts come at any time. Heights and the pulse's shape are rounded to whole numbers before they are summed in
doubles, which is then exact in any order, so that no library or processor can change a bit of the sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Tuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from stages.dataset.waveforms.settings import Settings

PARTS = 16  # of a sample's length: how finely times are kept
HEIGHT = 256  # steps of a cell's pulse height
SHAPE = 2**15  # steps of the pulse's shape
PEDESTAL = 4  # codes without light, so that noise is not cut off

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Pulses:
    """Waveforms [waveform, sample] as codes, with the delay of the second light in ps, 0 where there is none."""

    codes: NDArray[np.uint16]
    delay_ps: NDArray[np.int32]


def simulate(settings: Settings, labels: NDArray[np.uint8], random: np.random.Generator) -> Pulses:
    """Simulate one waveform for each label: 0 for one light pulse, 1 for two."""
    first = settings.light_ns + settings.sample_ns * random.random(len(labels))
    delay = random.uniform(settings.delay_min_ns, settings.delay_max_ns, len(labels))
    heights = np.zeros((len(labels), settings.samples * PARTS))
    _fire(heights, settings, random, *_light(settings, random, first, np.ones(len(labels), bool)))
    _fire(heights, settings, random, *_light(settings, random, first + delay, labels == 1))
    _fire(heights, settings, random, *_dark(settings, random, len(labels)))
    signal = heights @ _shape(settings) / (HEIGHT * SHAPE)
    noisy = signal + settings.noise_pe * random.standard_normal(signal.shape)
    codes = np.floor(noisy * settings.codes_per_pe + PEDESTAL + 0.5).clip(0, 2**settings.bits - 1)
    return Pulses(codes.astype(np.uint16), np.where(labels == 1, np.rint(delay * 1000), 0).astype(np.int32))


def _light(
    settings: Settings, random: np.random.Generator, start: Floats, there: NDArray[np.bool_]
) -> Tuple[Counts, Floats]:
    """Draw photoelectrons: the waveform and the time of each. Mean numbers are even in their logarithm."""
    low, high = np.log(settings.pe_min), np.log(settings.pe_max)
    mean = np.exp(random.uniform(low, high, len(start)))
    counts = np.where(there, np.maximum(1, random.poisson(mean)), 0)  # without light there is no trigger
    waveform = np.repeat(np.arange(len(start)), counts)
    return waveform, start[waveform] + settings.scintillator_ns * random.standard_exponential(len(waveform))


def _dark(settings: Settings, random: np.random.Generator, waveforms: int) -> Tuple[Counts, Floats]:
    """Draw dark counts, uniform over the window: those before it are left out."""
    counts = random.poisson(settings.dark_mhz * 1e-3 * settings.window_ns, waveforms)
    waveform = np.repeat(np.arange(waveforms), counts)
    return waveform, settings.window_ns * random.random(len(waveform))


def _fire(heights: Floats, settings: Settings, random: np.random.Generator, waveform: Counts, time: Floats) -> None:
    """Add the cells that fire, as whole steps of height, at their part of a sample."""
    cells = random.geometric(1.0 - settings.crosstalk, len(waveform))
    spread = settings.gain_spread * np.sqrt(cells) * random.standard_normal(len(waveform))
    height = np.rint(HEIGHT * np.maximum(0.0, cells + spread))
    part = np.floor(time / settings.sample_ns * PARTS).astype(np.int64)
    inside = part < heights.shape[1]
    np.add.at(heights, (waveform[inside], part[inside]), height[inside])


def _shape(settings: Settings) -> Floats:
    """Give what a cell that fires in a part of a sample adds to each sample, in whole steps, [part, sample]."""
    parts, samples = np.arange(settings.samples * PARTS), np.arange(settings.samples)
    late = (samples * PARTS - parts[:, np.newaxis]) * (settings.sample_ns / PARTS)
    rise, fall = settings.rise_ns, settings.fall_ns
    top = np.log(fall / rise) * rise * fall / (fall - rise)  # where the derivative is 0
    scale = np.exp(-top / fall) - np.exp(-top / rise)
    shape = np.exp(-np.maximum(late, 0.0) / fall) - np.exp(-np.maximum(late, 0.0) / rise)
    rounded: Floats = np.rint(SHAPE * shape / scale)
    return rounded
