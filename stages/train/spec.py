"""What the train stage needs and makes: float32 legacy-Keras weights with their history."""

from __future__ import annotations

from stages.spec import Input, Output, Parameter, Spec, Variant

INPUTS = {
    "dataset": Input(stage="dataset"),
    "data": Input(external="data", keyed=False),
    "init": Input(external="init"),
}

SPEC = Spec(
    name="train",
    summary="train a float32 Keras model",
    variants=(
        Variant("train", per=("model",), when={"device": "cpu"}, inputs=INPUTS),
        Variant("train-gpu", per=("model",), when={"device": "gpu"}, inputs=INPUTS, needs="gpu"),
    ),
    outputs=(
        Output("weights.h5", "hdf5"),
        Output("model.json", "json"),
        Output("history.csv", "csv"),
        Output("metrics.json", "json"),
        Output("confusion_matrix.png", "png"),
        Output("classification_report.txt", "text"),
    ),
    parameters=(
        Parameter("epochs", "int", 4, "most epochs; 0 only evaluates", minimum=0, maximum=100_000),
        Parameter("batch", "int", 32, "images in a batch", minimum=1, maximum=4096),
        Parameter(
            "seed",
            "int",
            1,
            "seed of Python, NumPy, TensorFlow, the shuffling and the validation draw",
            minimum=0,
            maximum=2**31 - 1,
        ),
        Parameter("learning_rate", "float", 1e-6, "Adam's first learning rate", minimum=1e-9, maximum=1.0),
        Parameter("reduce_factor", "float", 0.1, "ReduceLROnPlateau: factor", minimum=1e-3, maximum=0.99),
        Parameter("reduce_patience", "int", 5, "ReduceLROnPlateau: epochs without progress", minimum=1, maximum=10_000),
        Parameter("stop_patience", "int", 10, "early stopping: epochs without progress", minimum=1, maximum=10_000),
        Parameter(
            "validation_share",
            "float",
            0.1,
            "share of the training split kept for validation, per class",
            minimum=0.01,
            maximum=0.5,
        ),
        Parameter(
            "input_size",
            "int",
            0,
            "edge of the network's input in pixels; 0 is the model's own",
            minimum=0,
            maximum=1024,
        ),
        Parameter(
            "batchnorm_momentum",
            "float",
            0.0,
            "momentum of BatchNorm's moving averages; 0 keeps Keras' own",
            minimum=0.0,
            maximum=0.9999,
        ),
        Parameter(
            "input_values",
            "choice",
            "unit",
            "what the first layer gets: values from 0 to 1, or what keras.applications makes of them",
            choices=("unit", "keras"),
        ),
        Parameter("device", "choice", "cpu", "where to train (--gpus chooses gpu)", choices=("cpu", "gpu")),
        Parameter("tensorboard", "bool", False, "also write TensorBoard logs"),
        Parameter(
            "wandb",
            "choice",
            "off",
            "also write a Weights & Biases run (offline: synchronise it later)",
            choices=("off", "offline"),
        ),
    ),
    code=("stages/models/{model}.py", "stages/tasks/{task}.py"),
    cores="all",
    resumable=True,
    memory_gib=16.0,  # activations: DenseNet169 at 224 px with the paper's batch of 64 needs about 12
)
