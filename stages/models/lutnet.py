"""A network whose neuron is one lookup table of an FPGA: it tells one pulse of a photosensor from two."""

from __future__ import annotations

from stages.models import Model

MODEL = Model(
    name="lutnet",
    title="LutNet",
    input_size=0,
    smallest_input=0,
    network="lookup-table",
    task="waveforms",
    source="waveforms",
    recipes=(),
)
