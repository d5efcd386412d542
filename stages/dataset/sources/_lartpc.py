"""What may be set of the event generator: parameters for every source that is made with it."""

from __future__ import annotations

from stages.dataset.sources import SEED
from stages.spec import Parameter


def _physics(name: str, default: float, minimum: float, maximum: float, meaning: str) -> Parameter:
    return Parameter(name, "float", default, meaning, minimum=minimum, maximum=maximum)


COUNTS = (
    Parameter("train_events", "int", 1500, "events in the training split", minimum=6, maximum=9_999_999),
    Parameter("test_events", "int", 600, "events in the test split", minimum=3, maximum=9_999_999),
    Parameter(
        "train_shares",
        "ints",
        (1, 1, 1),
        "shares of cc_numu, cc_nue, nc in the training split",
        minimum=1,
    ),
    Parameter(
        "test_shares",
        "ints",
        (1, 1, 1),
        "shares of cc_numu, cc_nue, nc in the test split",
        minimum=1,
    ),
    SEED,
    Parameter(
        "size",
        "int",
        224,
        "edge of an image in pixels; the field of view stays 224 cm",
        minimum=32,
        maximum=224,
    ),
)

PHYSICS = (
    _physics("e_min", 1.0, 0.5, 10.0, "lowest neutrino energy, GeV"),
    _physics("e_max", 4.0, 0.5, 10.0, "highest neutrino energy, GeV"),
    _physics("pi0_boost", 1.0, 1.0, 20.0, "keeps NC events without a neutral pion with probability 1/pi0_boost"),
    _physics("noise", 0.05, 0.0, 2.0, "electronics noise per pixel with charge, MIP"),
    _physics("thr", 0.25, 0.001, 5.0, "threshold of a pixel, MIP"),
    _physics("noise_hits", 3.0, 0.0, 19.0, "mean number of noise pixels in a view"),
    _physics("smear", 0.0, 0.0, 5.0, "extra Gaussian spread of charge, cm"),
    _physics("gain", 30.0, 1.0, 255.0, "counts per MIP"),
    Parameter("min_pix", "int", 12, "fewest pixels above threshold in a view", minimum=0, maximum=500),
    _physics("margin", 50.0, 0.0, 200.0, "distance of the vertex from the walls, cm"),
    _physics("half_cube", 250.0, 100.0, 1000.0, "half the edge of the detector, cm"),
    _physics("step", 0.25, 0.05, 0.5, "transport step, cm"),
    _physics("diff_t", 13.0, 0.0, 100.0, "transverse diffusion, cm2/s"),
    _physics("diff_l", 6.6, 0.0, 100.0, "longitudinal diffusion, cm2/s"),
    Parameter("fsi", "bool", True, "nuclear reinteraction on"),
)
