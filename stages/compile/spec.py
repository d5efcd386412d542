"""What the compile stage needs and makes: a TFLite file for the Edge TPU, by the vendor's compiler."""

from __future__ import annotations

from stages.spec import Input, Output, Parameter, Spec, Variant

SPEC = Spec(
    name="compile",
    summary="compile for the Edge TPU",
    variants=(
        Variant("compile", per=("model", "recipe"), recipes="edgetpu", inputs={"tflite": Input(stage="convert")}),
    ),
    outputs=(Output("model_edgetpu.tflite", "tflite"), Output("compiler.log", "text"), Output("compile.json", "json")),
    parameters=(
        Parameter(
            "timeout_s",
            "int",
            600,
            "seconds that the compiler may take in all; the whole model gets half where a search could follow",
            minimum=1,
            maximum=86_400,
        ),
        Parameter(
            "retries",
            "int",
            2,
            "further attempts after a crash, an internal error or a failure without a reason",
            minimum=0,
            maximum=20,
        ),
        Parameter(
            "search_step",
            "int",
            10,
            "where the whole model is too large: operators by which a search for a part that compiles shrinks it per"
            " try; 0 for no search",
            minimum=0,
            maximum=1000,
        ),
    ),
)
