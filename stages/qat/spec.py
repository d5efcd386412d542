"""What the qat stage needs and makes: weights trained on with int8 simulated, for the recipes that want them."""

from __future__ import annotations

from typing import Optional, Tuple

from stages.spec import Input, Output, Parameter, Spec, Variant

INPUTS = {
    "model": Input(stage="train"),
    "dataset": Input(stage="dataset"),
    "data": Input(external="data", keyed=False),
}


def _variants(image: str, device: str, needs: Optional[str] = None) -> Tuple[Variant, ...]:
    """Make the variants that train on a device, in train's image for it: from the start, and on from four bits."""
    per, when = ("model", "recipe"), {"device": device}
    on_from = {**INPUTS, "start": Input(stage="qat", where={"recipe": "qat-int4"})}
    return (
        Variant(image, per=per, when=when, inputs=INPUTS, recipes="begun", needs=needs),
        Variant(image, per=per, when=when, inputs=on_from, recipes="continued", needs=needs),
    )


SPEC = Spec(
    name="qat",
    summary="train on with int8 simulated, from the float checkpoint",
    variants=(*_variants("train", "cpu"), *_variants("train-gpu", "gpu", needs="gpu")),
    outputs=(
        Output("weights.h5", "hdf5"),
        Output("model.json", "json"),
        Output("history.csv", "csv"),
        Output("metrics.json", "json"),
        Output("predictions.csv", "csv"),
    ),
    parameters=(
        Parameter("epochs", "int", 1, "most epochs", minimum=1, maximum=10_000),
        Parameter(
            "batch",
            "int",
            32,
            "images in a batch; a last one with fewer is dropped, unless it is the only one",
            minimum=1,
            maximum=4096,
        ),
        Parameter(
            "images",
            "int",
            0,
            "training images that are used, every class in its share; 0 is all",
            minimum=0,
            maximum=10_000_000,
        ),
        Parameter("seed", "int", 1, "seed of the draw of images and the shuffling", minimum=0, maximum=2**31 - 1),
        Parameter("learning_rate", "float", 1e-4, "Adam's first learning rate", minimum=1e-9, maximum=1.0),
        Parameter(
            "schedule",
            "choice",
            "cosine",
            "cosine: rises over the first tenth of all batches, then falls to 0; plateau: ReduceLROnPlateau",
            choices=("cosine", "plateau"),
        ),
        Parameter("reduce_factor", "float", 0.2, "ReduceLROnPlateau: factor", minimum=1e-3, maximum=0.99),
        Parameter("reduce_patience", "int", 5, "ReduceLROnPlateau: epochs without progress", minimum=1, maximum=10_000),
        Parameter("stop_patience", "int", 10, "early stopping: epochs without progress", minimum=1, maximum=10_000),
        Parameter("device", "choice", "cpu", "where to train (--gpus chooses gpu)", choices=("cpu", "gpu")),
    ),
    code=(
        "stages/models/{model}.py",
        "stages/tasks/{task}.py",
        "stages/qat/ways/{recipe}.py",
        "stages/qat/lessons/{task}.py",
    ),
    cores="all",
    resumable=True,
    memory_gib=24.0,
)
