"""What the sensitivity stage needs and makes: what each layer of a network costs at few bits, measured."""

from __future__ import annotations

from stages.spec import Input, Output, Parameter, Spec, Variant

SPEC = Spec(
    name="sensitivity",
    summary="measure what the network loses when the weights of one layer have few bits",
    variants=(
        Variant(
            "train",
            per=("model",),
            recipes="planned",
            inputs={
                "model": Input(stage="train"),
                "dataset": Input(stage="dataset"),
                "data": Input(external="data", keyed=False),
            },
        ),
    ),
    outputs=(Output("sensitivity.json", "json"), Output("section.json", "json")),
    parameters=(
        Parameter(
            "images",
            "int",
            500,
            "most images of those that training kept for validation, every class in its share",
            minimum=3,
            maximum=100_000,
        ),
        Parameter("bits", "ints", (4, 3, 2), "widths that each layer is measured at", minimum=2, maximum=8),
    ),
    code=("stages/models/{model}.py", "stages/tasks/{task}.py"),
    cores="all",
    resumable=True,
    reported=True,
    default_recipes=("mixed",),
)
