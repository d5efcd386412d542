"""Simulated pulses of a silicon photomultiplier, two classes: one light pulse, or a second one in its tail.

Crosstalk and dark counts are those of a Hamamatsu S13360-3050CS, as Li and Smoot measured them at 2.95 V overvoltage
and 26 degrees Celsius (arXiv:1908.10547); the decay of the light is that of the plastic scintillator EJ-200 (Eljen's
data sheet: 2.1 ns). Amount of light, pulse shape, noise and digitiser are choices, as a fast amplifier and a flash ADC
make them: set them to those of the detector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.dataset.sources import SEED, Source
from stages.spec import Output, Parameter

if TYPE_CHECKING:
    from stages.contract import Step


def _physics(name: str, default: float, minimum: float, maximum: float, meaning: str) -> Parameter:
    return Parameter(name, "float", default, meaning, minimum=minimum, maximum=maximum)


SOURCE = Source(
    name="waveforms",
    summary="simulated pulses of a photosensor: single, double",
    tasks=("waveforms",),
    outputs=(Output("waveforms.npz", "npz"),),
    parameters=(
        Parameter("train_pulses", "int", 32_768, "waveforms in the training split", minimum=256, maximum=200_000),
        Parameter("test_pulses", "int", 8192, "waveforms in the test split", minimum=64, maximum=200_000),
        SEED,
        Parameter(
            "samples", "int", 64, "samples of a waveform; an eighth of them lie before it", minimum=8, maximum=1024
        ),
        Parameter("bits", "int", 8, "bits of a sample", minimum=1, maximum=12),
        _physics("sample_ns", 4.0, 0.1, 100.0, "time between samples, ns"),
        _physics("codes_per_pe", 1.0, 0.01, 100.0, "digitiser codes per photoelectron, at the top of its pulse"),
        _physics("pe_min", 3.0, 1.0, 1000.0, "fewest photoelectrons of a light pulse, on average"),
        _physics("pe_max", 100.0, 1.0, 1000.0, "most photoelectrons of a light pulse, on average"),
        _physics("delay_min_ns", 4.0, 0.0, 10_000.0, "least delay of the second light pulse, ns"),
        _physics("delay_max_ns", 60.0, 0.0, 10_000.0, "largest delay of the second light pulse, ns"),
        _physics("scintillator_ns", 2.1, 0.0, 1000.0, "decay time of the scintillator, ns"),
        _physics("rise_ns", 3.0, 0.1, 1000.0, "rise time constant of one photoelectron's pulse, ns"),
        _physics("fall_ns", 35.0, 0.2, 10_000.0, "fall time constant of one photoelectron's pulse, ns"),
        _physics("gain_spread", 0.1, 0.0, 1.0, "relative spread of one photoelectron's pulse height"),
        _physics("crosstalk", 0.087, 0.0, 0.5, "probability of optical crosstalk"),
        _physics("dark_mhz", 0.507, 0.0, 100.0, "rate of dark counts, MHz"),
        _physics("noise_pe", 0.5, 0.0, 100.0, "electronics noise of a sample, photoelectrons"),
    ),
)


def make(step: Step) -> None:
    """Simulate the pulses that the parameters ask for."""
    from stages.dataset.waveforms import make as waveforms

    waveforms.make(step)
