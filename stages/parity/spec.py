"""What the parity stage needs and makes: one int8 file through every runtime that should give the same bytes."""

from __future__ import annotations

from stages.spec import Input, Output, Parameter, Spec, Variant

SPEC = Spec(
    name="parity",
    summary="compare the runtimes of an int8 file, image by image",
    variants=(
        Variant(
            "convert",
            per=("model", "recipe"),
            recipes="int8",
            inputs={
                "model": Input(stage="convert"),
                "dataset": Input(stage="dataset"),
                "data": Input(external="data", keyed=False),
                "benchmark": Input(stage="benchmark", gather=True, where={"runtime": "edgetpu"}),
            },
        ),
    ),
    outputs=(Output("parity.json", "json"),),
    parameters=(
        Parameter(
            "images",
            "int",
            64,
            "test images that every runtime sees, every class in its share; 0 is all (the reference kernels are slow)",
            minimum=0,
            maximum=10_000_000,
        ),
        Parameter("seed", "int", 1, "seed of the draw of images", minimum=0, maximum=2**31 - 1),
    ),
    cores="all",
    asked=True,
)
