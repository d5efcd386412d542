"""What the evolve stage needs and makes: a network of lookup tables from waveforms."""

from __future__ import annotations

from stages.spec import Input, Output, Parameter, Spec, Variant

SPEC = Spec(
    name="evolve",
    summary="evolve a network of lookup tables",
    variants=(
        Variant("evolve", per=("model",), networks=("lookup-table",), inputs={"dataset": Input(stage="dataset")}),
    ),
    outputs=(
        Output("network.npz", "npz"),
        Output("metrics.json", "json"),
        Output("history.csv", "csv"),
        Output("predictions.csv", "csv"),
        Output("section.json", "json"),
    ),
    parameters=(
        Parameter("layers", "ints", (48, 12, 4, 1), "neurons of each layer; the last has one", minimum=1, maximum=1024),
        Parameter("fan_in", "int", 4, "pins of a neuron: 4 is a LUT4, 6 a LUT6", minimum=2, maximum=6),
        Parameter(
            "start",
            "choice",
            "gradient",
            "where the search begins: soft tables trained by gradient, or wires drawn at random",
            choices=("gradient", "random"),
        ),
        Parameter(
            "epochs",
            "int",
            10,
            "times that the gradient start goes through its waveforms",
            minimum=1,
            maximum=1000,
            when={"start": ("gradient",)},
        ),
        Parameter(
            "evaluations",
            "int",
            600_000,
            "networks that the genetic algorithm evaluates; with the default start about two minutes on one core",
            minimum=1,
            maximum=1_000_000_000,
        ),
        Parameter("population", "int", 64, "networks of a generation", minimum=4, maximum=4096),
        Parameter("rewire", "float", 0.007, "probability that a pin of a child is rewired", minimum=0.0, maximum=1.0),
        Parameter(
            "sample",
            "int",
            4096,
            "training waveforms that a generation is judged on: half make tables, half score",
            minimum=128,
            maximum=1_000_000,
        ),
        Parameter("seed", "int", 1, "seed of the search", minimum=0, maximum=2**32 - 1),
    ),
    resumable=True,
    reported=True,
)
