"""A fast, seeded Monte-Carlo of neutrino interactions in a generic liquid-argon TPC.

It is neither GENIE nor Geant4: an accuracy measured on its images is an accuracy on this simulation.
"""

from __future__ import annotations

from stages.dataset.lartpc.config import GENERATOR_VERSION, Config, GeneratorError
from stages.dataset.lartpc.folders import generate
from stages.dataset.lartpc.sample import CLASSES, simulate

__all__ = ["CLASSES", "GENERATOR_VERSION", "Config", "GeneratorError", "generate", "simulate"]
