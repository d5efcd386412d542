"""What the convert stage needs and makes: a deployable TFLite file by one recipe; and the table of recipes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict

from stages.spec import Input, Output, Parameter, Spec, Variant


@dataclass(frozen=True)
class Recipe:
    """How a network becomes a deployable file: `convert` in `stages/convert/recipes/NAME.py`, `-` read as `_`."""

    summary: str
    edgetpu: bool = False
    default: bool = True


RECIPES: Dict[str, Recipe] = {
    "float32": Recipe("no quantisation: the reference for sizes"),
    "float16": Recipe("weights stored as float16, computed in float32"),
    "dynamic": Recipe("8-bit weights, activations quantised at run time"),
    "ptq-int8": Recipe("full int8 after training, uint8 in and out, per-channel weights", edgetpu=True),
}

CALIBRATED = {"recipe": ("ptq-int8",)}

SPEC = Spec(
    name="convert",
    summary="make a TFLite file by a recipe",
    variants=(
        Variant(
            "convert",
            per=("model", "recipe"),
            inputs={
                "model": Input(stage="train"),
                "dataset": Input(stage="dataset"),
                "data": Input(external="data", keyed=False),
            },
        ),
    ),
    outputs=(Output("model.tflite", "tflite"), Output("conversion.json", "json")),
    parameters=(
        Parameter(
            "calibration_images",
            "int",
            500,
            "images that set the ranges, from the training split",
            minimum=1,
            maximum=100_000,
            when=CALIBRATED,
        ),
        Parameter(
            "calibration_seed",
            "int",
            1,
            "seed of the draw of calibration images",
            minimum=0,
            maximum=2**31 - 1,
            when=CALIBRATED,
        ),
    ),
    code=("stages/models/{model}.py", "stages/convert/recipes/{recipe}.py"),
)
