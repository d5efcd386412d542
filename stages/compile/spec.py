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
    parameters=(Parameter("timeout_s", "int", 600, "seconds that the compiler may take", minimum=1, maximum=86_400),),
)
