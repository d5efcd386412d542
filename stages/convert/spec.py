"""What the convert stage needs and makes: a deployable TFLite file by one recipe; and the table of recipes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict

from stages.spec import Input, Output, Parameter, Spec, Variant


@dataclass(frozen=True)
class Recipe:
    """How a network becomes a deployable file: `convert` in `stages/convert/recipes/NAME.py`, `-` read as `_`.

    `edgetpu` recipes are compiled for the Edge TPU; what they make is int8 throughout, but for `islands`, which the
    converter leaves in float. `trained` recipes get their weights from the qat stage, all others from the train stage.
    """

    summary: str
    edgetpu: bool = False
    trained: bool = False
    default: bool = True
    islands: bool = False

    @property
    def untrained(self) -> bool:
        """Whether the recipe takes the float training's weights as they are."""
        return not self.trained

    @property
    def int8(self) -> bool:
        """Whether every tensor of its file is quantised."""
        return self.edgetpu and not self.islands


RECIPES: Dict[str, Recipe] = {
    "float32": Recipe("no quantisation: the reference for sizes"),
    "float16": Recipe("weights stored as float16, computed in float32"),
    "dynamic": Recipe("8-bit weights, activations quantised at run time"),
    "ptq-int8-stock": Recipe("full int8 as TensorFlow's converter calibrates it", edgetpu=True, default=False),
    "ptq-int8": Recipe("full int8 after training, uint8 in and out, ranges and biases searched", edgetpu=True),
    "qat-int8": Recipe(
        "as ptq-int8, from weights that were trained on with int8 simulated", edgetpu=True, trained=True, default=False
    ),
    "qat-int8-paper": Recipe(
        "int8 as TFMOT simulates it with convolutions and dense layers annotated, by TensorFlow's converter",
        edgetpu=True,
        trained=True,
        default=False,
        islands=True,
    ),
}

CALIBRATED = {"recipe": ("ptq-int8-stock", "ptq-int8")}
SEARCHED = {"recipe": ("ptq-int8",)}


def _variant(stage: str, recipes: str) -> Variant:
    """Make the variant for recipes whose weights come from a stage."""
    data = {"dataset": Input(stage="dataset"), "data": Input(external="data", keyed=False)}
    return Variant("convert", per=("model", "recipe"), inputs={"model": Input(stage=stage), **data}, recipes=recipes)


SPEC = Spec(
    name="convert",
    summary="make a TFLite file by a recipe",
    variants=(_variant("train", "untrained"), _variant("qat", "trained")),
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
        Parameter(
            "judging_images",
            "int",
            600,
            "labelled images of the training split that no calibration saw, on which candidates are compared",
            minimum=3,
            maximum=100_000,
            when=SEARCHED,
        ),
    ),
    code=("stages/models/{model}.py", "stages/tasks/{task}.py", "stages/convert/recipes/{recipe}.py"),
)
