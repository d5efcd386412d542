"""Simulated waveforms of a photosensor: a light pulse, alone or with a second one in its tail."""
