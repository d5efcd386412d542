"""What the paper stage needs and makes: the paper's tables and figures from our measurements, next to its values."""

from __future__ import annotations

from stages.report.spec import ENERGY, METER
from stages.spec import Input, Output, Spec, Variant

GATHERED = ("train", "qat", "convert", "check", "compile", "benchmark")

SPEC = Spec(
    name="paper",
    summary="replay the paper's benchmark: its tables and figures beside ours",
    variants=(
        Variant(
            "report",
            inputs={
                "dataset": Input(stage="dataset"),
                **{name: Input(stage=name, gather=True) for name in GATHERED},
                "meter": METER,
            },
        ),
    ),
    outputs=(Output("paper.html", "html"), Output("paper.md", "text"), Output("paper.json", "json")),
    parameters=ENERGY,
    default_recipes=("float32", "float16", "dynamic", "ptq-int8-stock", "ptq-int8", "qat-int8", "qat-int8-paper"),
    all_models=("densenet169", "efficientnetv2b0", "inceptionv3", "resnet50v2"),  # those that the paper has
    asked=True,
)
