"""What the convert stage needs and makes: a deployable TFLite file by one recipe; and the table of recipes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional

from stages.spec import Input, Output, Parameter, Spec, Variant


@dataclass(frozen=True)
class Recipe:
    """How a network becomes a deployable file: `convert` in `stages/convert/recipes/NAME.py`, `-` read as `_`.

    `edgetpu` recipes are compiled for the Edge TPU; what they make is int8 throughout, but for `islands`, which the
    converter leaves in float. `trained` recipes get their weights from the qat stage, all others from the train stage;
    what is made from a file rather than from weights alone names the recipe of that file, its `base`. A `planned` one
    is told by the sensitivity stage which layers bear what. `int4` ones have weights of four bits. What `stored` ones
    make is executed by no runtime: it lies in a container.
    """

    summary: str
    edgetpu: bool = False
    trained: bool = False
    default: bool = True
    islands: bool = False
    base: Optional[str] = None
    planned: bool = False
    int4: bool = False
    stored: bool = False

    @property
    def executed(self) -> bool:
        """Whether it makes a TFLite file, which runtimes execute."""
        return not self.stored

    @property
    def tuned(self) -> bool:
        """Whether it makes such a file of weights that the qat stage trained."""
        return self.trained and self.executed

    @property
    def begun(self) -> bool:
        """Whether the qat stage trains its weights from those of the float training."""
        return self.trained and self.base is None

    @property
    def continued(self) -> bool:
        """Whether the qat stage goes on from the weights that it trained for another recipe, the `base`."""
        return self.trained and self.base is not None

    @property
    def untrained(self) -> bool:
        """Whether the recipe takes the float training's weights as they are."""
        return not self.trained and self.base is None

    @property
    def narrowed(self) -> bool:
        """Whether it goes on from a full-int8 file to fewer bits, the same for all layers."""
        return self.base is not None and not self.planned and not self.trained

    @property
    def whole_bytes(self) -> bool:
        """Whether it makes a file in which no number takes less than a byte: tflite-runtime 2.14 refuses dense int4."""
        return self.executed and not self.int4

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
    "ptq-int4": Recipe(
        "ptq-int8 with the weights of its 1x1 convolutions at 4 bits", default=False, base="ptq-int8", int4=True
    ),
    "mixed": Recipe(
        "ptq-int8 with those 1x1 convolutions at 4 bits that bear it best, to a size or an expected loss",
        default=False,
        base="ptq-int8",
        planned=True,
        int4=True,
    ),
    "qat-int4": Recipe(
        "as ptq-int4, from weights that were trained on with these very steps simulated, their sizes learnt",
        default=False,
        trained=True,
        int4=True,
    ),
    "int2": Recipe(
        "weights of 1x1 convolutions trained on from four bits to two, in a container that no runtime executes",
        default=False,
        trained=True,
        base="qat-int4",
        stored=True,
    ),
}

CALIBRATED = {"recipe": ("ptq-int8-stock", "ptq-int8", "ptq-int4", "mixed")}
SEARCHED = {"recipe": ("ptq-int8", "ptq-int4", "mixed")}
PLANNED = {"recipe": ("mixed",)}
INT8 = Input(stage="convert", where={"recipe": "ptq-int8"})


TFLITE, PACKED = Output("model.tflite", "tflite"), Output("model.packed", "packed")


def _variant(stage: str, recipes: str, output: Output = TFLITE, **more: Input) -> Variant:
    """Make the variant for recipes whose weights come from a stage."""
    inputs = {"model": Input(stage=stage), **more}
    data = {"dataset": Input(stage="dataset"), "data": Input(external="data", keyed=False)}
    return Variant("convert", per=("model", "recipe"), inputs={**inputs, **data}, recipes=recipes, outputs=(output,))


SPEC = Spec(
    name="convert",
    summary="make a TFLite file by a recipe",
    variants=(
        _variant("train", "untrained"),
        _variant("qat", "tuned"),
        _variant("qat", "stored", PACKED),
        _variant("train", "narrowed", int8=INT8),
        _variant("train", "planned", int8=INT8, sensitivity=Input(stage="sensitivity")),
    ),
    outputs=(Output("conversion.json", "json"),),
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
        Parameter(
            "compression",
            "float",
            5.0,
            "bytes of the float32 file over those of the mixed one, to be reached",
            minimum=1.0,
            maximum=16.0,
            when=PLANNED,
        ),
        Parameter(
            "largest_loss",
            "float",
            0.0,
            "accuracy that the mixed file may be expected to lose; it then decides instead of the size; 0 leaves it so",
            minimum=0.0,
            maximum=1.0,
            when=PLANNED,
        ),
    ),
    code=("stages/models/{model}.py", "stages/tasks/{task}.py", "stages/convert/recipes/{recipe}.py"),
)
