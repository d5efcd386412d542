"""Parameters of the generator, checked when they are made, and the form the kernel reads."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple, Union

GENERATOR_VERSION = "1.0"

#: Edge of the square field of view, cm. Pixels become larger, not the view smaller, below 224 px.
FIELD_CM = 224.0


class GeneratorError(ValueError):
    """A request that cannot be met; the message names the offending key, its value and the limits."""


class Settings(NamedTuple):
    """Parameters as the compiled kernel takes them: plain numbers, units as in `Config`."""

    e_min: float
    e_max: float
    pi0_boost: float
    noise: float
    thr: float
    noise_hits: float
    smear: float
    gain: float
    min_pix: int
    margin: float
    half_cube: float
    step: float
    diff_t: float
    diff_l: float
    fsi: int
    size: int
    pitch: float


# Limits are those within which the model's tables and approximations hold; e_min and e_max end
# where the cross-section table ends (specification, sections 5.1 and 9).
_LIMITS = {
    "e_min": (0.5, 10.0),
    "e_max": (0.5, 10.0),
    "pi0_boost": (1.0, 100.0),
    "noise": (0.0, 10.0),
    "thr": (0.001, 10.0),
    "noise_hits": (0.0, 500.0),
    "smear": (0.0, 50.0),
    "gain": (0.1, 10000.0),
    "min_pix": (0, 500),
    "margin": (0.0, 1e4),
    "half_cube": (1.0, 1e6),
    "step": (0.01, 0.5),
    "diff_t": (0.0, 1000.0),
    "diff_l": (0.0, 1000.0),
    "fsi": (0, 1),
    "size": (32, 224),
}
_WHOLE = ("min_pix", "fsi", "size")


@dataclasses.dataclass(frozen=True)
class Config:
    """Parameters of the generator (specification, section 9); defaults are the physical choice.

    `size` is the image edge in pixels. The field of view is 224 cm at every size, so a pixel is
    pitch = 224 / size cm wide and the vertex lies in pixel (size // 2, size // 2). A track leaves
    `pitch` times more charge in a wider pixel; charge is divided by `pitch` before noise, threshold
    and gain, so that a minimum-ionising track has the same brightness, noise and threshold at every
    size. `min_pix` counts pixels along tracks and is divided by `pitch` too, rounded, at least 1
    (0 stays 0). `noise_hits` stays a number per view. At 224 all of this is the identity.
    """

    #: Lower end of the flat neutrino flux, GeV.
    e_min: float = 1.0
    #: Upper end of the flat neutrino flux, GeV.
    e_max: float = 4.0
    #: NC events without a pi0 are kept with probability 1 / pi0_boost.
    pi0_boost: float = 1.0
    #: Standard deviation of electronic noise, MIP.
    noise: float = 0.05
    #: Threshold below which a pixel reads zero, MIP.
    thr: float = 0.25
    #: Mean number of random noise pixels per view.
    noise_hits: float = 3.0
    #: Extra Gaussian spread of charge, cm.
    smear: float = 0.0
    #: Counts per MIP.
    gain: float = 30.0
    #: Fewest pixels above threshold in every view; other events are drawn again.
    min_pix: int = 12
    #: Least distance of the vertex from every wall, cm.
    margin: float = 50.0
    #: Half the edge of the detector cube, cm.
    half_cube: float = 250.0
    #: Longest transport step, cm.
    step: float = 0.25
    #: Transverse diffusion, cm2/s.
    diff_t: float = 13.0
    #: Longitudinal diffusion, cm2/s.
    diff_l: float = 6.6
    #: 1 with, 0 without reinteraction in the struck nucleus.
    fsi: int = 1
    #: Image edge, px.
    size: int = 224

    def __post_init__(self) -> None:
        """Refuse values outside the limits of the model.

        Raises:
            GeneratorError: a value is not a number, or outside its limits.
        """
        for name, (low, high) in _LIMITS.items():
            value = _number(name, getattr(self, name), low, high)
            object.__setattr__(self, name, value)  # 1 and 1.0 are the same request
        if self.e_min >= self.e_max:
            raise GeneratorError(f"e_min = {self.e_min!r} must be below e_max = {self.e_max!r} (GeV)")
        if self.margin >= self.half_cube:
            raise GeneratorError(f"margin = {self.margin!r} must be below half_cube = {self.half_cube!r} (cm)")

    @property
    def pitch_cm(self) -> float:
        """Edge of one pixel, cm."""
        return FIELD_CM / self.size

    def settings(self) -> Settings:
        """Return the parameters in the form the kernel takes, every number of a fixed type."""
        least = 0 if self.min_pix == 0 else max(1, round(self.min_pix / self.pitch_cm))
        return Settings(**{**dataclasses.asdict(self), "min_pix": least, "pitch": self.pitch_cm})


def _number(name: str, value: object, low: float, high: float) -> Union[int, float]:
    """Return `value` as int or float, as the parameter wants; raise unless it lies in [low, high]."""
    is_whole = name in _WHOLE
    text = f"{name} = {value!r}: expected a {'whole ' if is_whole else ''}number from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise GeneratorError(text)
    if is_whole and value != int(value):
        raise GeneratorError(text)
    return int(value) if is_whole else float(value)
