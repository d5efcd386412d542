"""What the benchmark stage needs and makes: accuracy on the test split and latency of one file on one runtime."""

from __future__ import annotations

from typing import Dict

from stages.spec import Input, Output, Parameter, Spec, Variant

RUNTIMES: Dict[str, str] = {
    "keras-cpu": "the Keras model in TensorFlow 2.15, on the CPU",
    "keras-gpu": "the Keras model in TensorFlow 2.15, on a GPU",
    "tflite-cpu": "a TFLite file in tflite-runtime 2.14.0, on the CPU",
    "litert-cpu": "the same TFLite file in LiteRT 2.3.0, on the CPU",
    "unpacked-cpu": "a packed container's weights as bytes in LiteRT 2.3.0, for accuracy alone",
    "edgetpu": "a compiled TFLite file on a USB Edge TPU, libedgetpu 16.0",
}

_IMAGES = {"dataset": Input(stage="dataset"), "data": Input(external="data", keyed=False)}
_LATENCY, _EXECUTION = Output("latency.json", "json"), Output("execution.json", "json")

SPEC = Spec(
    name="benchmark",
    summary="measure accuracy and latency",
    variants=(
        Variant(
            "train",
            per=("model", "recipe", "runtime"),
            fixed={"recipe": "float32-keras", "runtime": "keras-cpu"},
            inputs={"model": Input(stage="train"), **_IMAGES},
            outputs=(_LATENCY,),
        ),
        Variant(
            "train-gpu",
            per=("model", "recipe", "runtime"),
            fixed={"recipe": "float32-keras", "runtime": "keras-gpu"},
            inputs={"model": Input(stage="train"), **_IMAGES},
            outputs=(_LATENCY,),
            needs="gpu",
        ),
        Variant(
            "benchmark",
            per=("model", "recipe", "runtime"),
            fixed={"runtime": "tflite-cpu"},
            recipes="whole_bytes",
            inputs={"model": Input(stage="convert"), **_IMAGES},
            outputs=(_LATENCY,),
        ),
        Variant(
            "benchmark-litert",
            per=("model", "recipe", "runtime"),
            fixed={"runtime": "litert-cpu"},
            recipes="executed",
            inputs={"model": Input(stage="convert"), **_IMAGES},
            outputs=(_LATENCY, _EXECUTION),
        ),
        Variant(
            "benchmark-litert",
            per=("model", "recipe", "runtime"),
            fixed={"runtime": "unpacked-cpu"},
            recipes="stored",
            inputs={"model": Input(stage="convert"), **_IMAGES},
            outputs=(_EXECUTION,),
        ),
        Variant(
            "benchmark-edgetpu",
            per=("model", "recipe", "runtime"),
            fixed={"runtime": "edgetpu"},
            recipes="edgetpu",
            inputs={"model": Input(stage="compile"), **_IMAGES},
            outputs=(_LATENCY,),
            needs="edgetpu",
        ),
    ),
    outputs=(Output("accuracy.json", "json"), Output("predictions.csv", "csv")),
    parameters=(
        Parameter("warmup_runs", "int", 10, "inferences before the clock starts", minimum=1, maximum=100_000),
        Parameter("min_runs", "int", 100, "fewest timed inferences", minimum=10, maximum=10_000_000),
        Parameter("min_seconds", "float", 2.0, "shortest time to measure, s", minimum=0.1, maximum=86_400.0),
        Parameter(
            "threads",
            "int",
            1,
            "threads of one inference; TFLite on the CPU is also timed on all",
            minimum=1,
            maximum=1024,
        ),
    ),
    code=("stages/models/{model}.py", "stages/tasks/{task}.py", "stages/benchmark/{runtime}.py"),
    cores="all",
    measures=True,
    resumable=True,
)
