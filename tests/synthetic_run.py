"""A whole run's artifacts in the form of docs/architecture.md, without training anything: numbers are drawn by seed."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from stages.check import __main__ as check
from stages.contract import Step, number
from stages.convert.spec import RECIPES
from stages.report.spec import SPEC

CLASSES = ("cc_numu", "cc_nue", "nc")
INT8_FILE = Path(__file__).parent / "fixtures" / "edgetpu" / "gabor_64x64_p4.tflite"
SIZES = {"float32": 87_301_224, "float16": 43_702_512, "dynamic": 22_510_016, "ptq-int8": 22_846_208}
SPEEDS = {"float32-keras": 61.0, "float32": 24.1, "float16": 24.4, "dynamic": 17.9, "ptq-int8": 9.7}
HOST = {
    "cpu_model": "Example CPU 9000", "cores": 2, "machine": "x86_64", "kernel": "6.1", "fingerprint": 2 * "01234567"
}  # fmt: skip
ENGINE = {"name": "docker", "image": "sha256:" + "ab" * 32}
STORED = "unpacked-cpu"  # the runtime of what nothing executes
BOTH = ("tflite-cpu", "litert-cpu")  # the runtimes that are timed on one thread and on all
STARTED, STARTED_S = "2026-01-01T00:00:00Z", 1_767_225_600
NO_COMPILER = "edgetpu_compiler cannot be had here: the vendor's apt repository does not answer"


def _score(regret: float) -> dict[str, float]:
    scores = {"balanced_accuracy": 0.75 - regret, "agreement": 1 - 2 * regret, "regret": regret}
    return {**scores, "divergence": 3 * regret, "cross_entropy": 0.7 + regret}


SEARCHED = {
    "float32": _score(0.0),
    "remedies": [
        {"remedy": "minimum and maximum", **_score(0.2)},
        {"remedy": "ranges by mean-of-extremes", **_score(0.02)},
        {"remedy": "sequential bias correction", **_score(0.0015)},
    ],
    "worst_activations": [
        {
            "tensor": "block/add;block/" + 20 * "very_" + "long",
            "operator": "ADD",
            "place": 17,
            "signal_to_noise_db": 12.34,
            "reason": "outliers: the range is wide, so the steps are coarse",
        },
        {
            "tensor": "head/" + 20 * "very_" + "long",
            "operator": "FULLY_CONNECTED",
            "place": 99,
            "signal_to_noise_db": -1.5,
            "reason": "inherited: from the inputs and the weights",
        },
    ],
}


@dataclass
class Run:
    """Builds artifacts below `root`; `inputs` and `missing` are what the report's step gets."""

    root: Path
    classes: tuple[str, ...] = CLASSES
    size: int = 32
    tests: int = 24
    inputs: dict[str, Path] = field(default_factory=dict)
    missing: list[dict[str, str]] = field(default_factory=list)

    def whole(self, *models: str, epochs: int = 4) -> Run:
        """Make everything that a run on a machine without Edge TPU makes."""
        self.dataset()
        for model in models:
            self.train(model, epochs)
            self.benchmark(model, "float32-keras", "keras-cpu")
            for recipe in SIZES:
                self.convert(model, recipe)
                for runtime in ("tflite-cpu", "litert-cpu"):
                    self.benchmark(model, recipe, runtime)
            self.check(model, "ptq-int8")
            self.miss("compile/%s/ptq-int8" % model, NO_COMPILER)
            self.miss("benchmark/%s/ptq-int8/edgetpu" % model, "needs compile/%s/ptq-int8, which was not made" % model)
        return self

    def step(self, out: Path, **parameters: Any) -> Step:
        """Return the report's step."""
        out.mkdir(parents=True)
        return Step(
            stage="report",
            label="report",
            parameters={**{parameter.name: parameter.default for parameter in SPEC.parameters}, **parameters},
            threads=1,
            inputs=dict(self.inputs),
            out=out,
            partial=None,
            missing=list(self.missing),
            events=io.StringIO(),
        )

    def miss(self, label: str, reason: str) -> None:
        self.missing.append({"step": label, "reason": reason})

    def dataset(self, source: str = "simulate", skipped: list[dict[str, str]] | None = None) -> Path:
        folder = self.root / "dataset"
        rng = np.random.default_rng(1)
        rows = []
        for split, count in (("train", 2 * self.tests), ("test", self.tests)):
            for label, name in enumerate(self.classes):
                for index in range(count if split == "test" else 2):
                    path = f"{split}/{name}/{split}_{index:07d}.png"
                    rows.append((split, name, label, path, save(folder / "images" / path, track(rng, self.size))))
        write_csv(folder / "images.csv", ["split", "class", "label", "path", "sha256"], sorted(rows))
        splits = {
            split: {name: sum(row[0] == split and row[1] == name for row in rows) for name in self.classes}
            for split in ("train", "test")
        }
        write_json(
            folder / "dataset.json",
            {
                "schema": "coralline.dataset", "version": 1, "source": source, "classes": list(self.classes),
                "size": [self.size, self.size], "splits": splits, "images": "artifact", "skipped": skipped or [],
            },
        )  # fmt: skip
        occupied = [
            number(f"occupied_pixels_{name}", 170.2 + place, "px", 200, (160.0, 180.0))
            for place, name in enumerate(self.classes)
        ]
        pixels = {
            name: {"images": 200, "value_quantiles": {"5": 9, "25": 19, "50": 32, "75": 48, "95": 107}}
            for name in self.classes
        }
        speed = number("events_per_second", 231.0, "events/s", 2100)
        return self.record(folder, "dataset", {}, [speed, *occupied], facts={"pixels": pixels})

    def train(self, model: str, epochs: int) -> Path:
        folder = self.root / f"train.{model}"
        folder.mkdir()
        history = [
            (epoch, 1.1 / epoch, 0.4 + 0.1 * epoch, 1.2 / epoch + 0.05, 0.38 + 0.1 * epoch, 1e-3)
            for epoch in range(1, epochs + 1)
        ]
        write_csv(
            folder / "history.csv", ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"], history
        )
        write_json(folder / "model.json", {"model": model, "input_size": self.size})
        numbers = (
            [number("best_epoch", max(1, epochs), "1"), number("validation_loss", 0.61, "1", 150)] if epochs else []
        )
        parameters = {"model": model, "epochs": epochs, "batch": 32, "learning_rate": 1e-3, "seed": 1}
        return self.record(folder, "train", {"model": model}, numbers, parameters=parameters)

    def check(self, model: str, recipe: str) -> Path:
        """Judge a real file, in place of the network that was not converted."""
        folder = self.root / f"check.{model}.{recipe}"
        folder.mkdir()
        source = self.root / f"source.{model}.{recipe}"
        source.mkdir()
        (source / "model.tflite").write_bytes(INT8_FILE.read_bytes())
        judge = Step("check", "check", {"usb": "3", "clock": "std"}, 1, {"tflite": source}, folder, None)
        check.main(judge)
        told = json.loads((folder / "record.json").read_text())
        return self.record(folder, "check", {"model": model, "recipe": recipe}, told["numbers"])

    def convert(self, model: str, recipe: str) -> Path:
        folder = self.root / f"convert.{model}.{recipe}"
        folder.mkdir()
        (folder / "model.tflite").write_bytes(f"{model} {recipe}".encode())
        searched = SEARCHED if recipe == "ptq-int8" else None
        told = {"recipe": recipe, "model": model, "size_bytes": size_of(recipe), "quantisation": searched}
        write_json(folder / "conversion.json", {**told, "weights": [{"operator": "CONV_2D", "dtype": dtype(recipe)}]})
        parts = {"size_bytes": 1.0, "payload_bytes": 0.8, "overhead_bytes": 0.15}
        known = RECIPES.get(recipe)
        runtime = "tflite-cpu" if known is None or known.whole_bytes else "litert-cpu"
        runtime = STORED if dtype(recipe) == "int2" else runtime
        numbers = [number(name, share * size_of(recipe), "B", runtime=runtime) for name, share in parts.items()]
        return self.record(folder, "convert", {"model": model, "recipe": recipe}, numbers)

    def qat(self, model: str, recipe: str, accuracy: float = 0.79) -> Path:
        folder = self.root / f"qat.{model}.{recipe}"
        folder.mkdir()
        write_csv(folder / "history.csv", ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"], [])
        self.answer(folder, len(model) + 11 * len(recipe))
        interval = (accuracy - 0.02, accuracy + 0.02)
        told = number("simulated_balanced_accuracy", accuracy, "1", 72, interval, runtime="keras-cpu")
        return self.record(folder, "qat", {"model": model, "recipe": recipe}, [told])

    def compile(self, model: str, recipe: str) -> Path:
        folder = self.root / f"compile.{model}.{recipe}"
        folder.mkdir()
        size = number("size_bytes", 24_100_000, "B", runtime="edgetpu")
        return self.record(folder, "compile", {"model": model, "recipe": recipe}, [size])

    def benchmark(self, model: str, recipe: str, runtime: str) -> Path:
        folder = self.root / f"benchmark.{model}.{recipe}.{runtime}"
        folder.mkdir()
        labels, predicted = self.answer(folder, len(model) + 7 * len(recipe))
        confusion = np.zeros((len(self.classes), len(self.classes)), int)
        np.add.at(confusion, (labels, predicted), 1)
        recall = confusion.diagonal() / confusion.sum(axis=1)
        balanced = float(recall.mean())
        accuracy = [
            number(metric, balanced, "1", len(labels), (balanced - 0.03, min(1.0, balanced + 0.03)))
            for metric in ("balanced_accuracy", "accuracy", "macro_f1")
        ]
        accuracy += [
            number(f"recall_{name}", float(value), "1", len(labels), (0.5, 1.0))
            for name, value in zip(self.classes, recall, strict=True)
        ]
        write_json(
            folder / "accuracy.json",
            {"classes": list(self.classes), "images": len(labels), "confusion_matrix": confusion.tolist()},
        )
        axes = {"model": model, "recipe": recipe, "runtime": runtime}
        if runtime == STORED:
            kind = {"operator": "CONV_2D", "dtype": "int2", "operators": 9, "weights": 950, "ram_bytes": None}
            kinds = [{**kind, "executed_as": "storage only", "storage_only": True}]
            write_json(folder / "execution.json", {"ram_bytes": None, "kinds": kinds})
            return self.record(folder, "benchmark", axes, accuracy, facts={"runtime": {"kernels": "XNNPACK"}})
        mean = SPEEDS.get(recipe, 30.0) * {"edgetpu": 0.2, "litert-cpu": 0.5}.get(runtime, 1)
        every = {"threads": 2, "first_inference_ms": 2 * mean, "runs": 223} if runtime in BOTH else None
        kernels = "TensorFlow" if runtime == "keras-cpu" else "built-in"
        write_json(
            folder / "latency.json",
            {
                "threads": 1, "first_inference_ms": 3 * mean, "model_load_ms": 210.0, "runs": 123,
                "window": {"begin_s": STARTED_S + 4, "end_s": STARTED_S + 4 + 0.123 * mean},
                "machine": {"cpu_model": HOST["cpu_model"]}, "runtime": {"kernels": kernels}, "all_threads": every,
            },
        )  # fmt: skip
        factors = {"mean": 1.0, "std": 0.06, "p50": 0.98, "p90": 1.08, "p95": 1.12, "p99": 1.3}
        latency = [number(f"latency_{name}_ms", mean * factor, "ms", 123) for name, factor in factors.items()]
        if every:
            whole = [(f"latency_all_threads_{name}_ms", 0.6 * mean * factor) for name, factor in factors.items()]
            latency += [number(metric, value, "ms", 223) for metric, value in whole]
        if runtime == "keras-cpu":
            latency += [number("images_per_second", 2300 / mean, "images/s", 999), number("best_batch", 8, "1")]
        if runtime == "litert-cpu":
            latency += self.execution(folder, recipe)
        facts = {"runtime": {"kernels": kernels}}
        return self.record(folder, "benchmark", axes, accuracy + latency, facts=facts)

    def execution(self, folder: Path, recipe: str) -> list[dict[str, Any]]:
        """Write as what LiteRT executes the weights, and return the numbers of it."""
        executed = {"float32": "float", "float16": "dequantised-to-float", "int8": "int8", "int4": "int4-native"}
        kind = {
            "operator": "CONV_2D", "dtype": dtype(recipe), "delegated": True, "operators": 9, "weights": 950,
            "ram_bytes": 1.0, "executed_as": executed[dtype(recipe)], "storage_only": dtype(recipe) == "float16",
        }  # fmt: skip
        head = {**kind, "operator": "FULLY_CONNECTED", "dtype": "int8", "executed_as": "int8", "weights": 50}
        kinds = [kind, head] if dtype(recipe) == "int4" else [kind]
        write_json(folder / "execution.json", {"ram_bytes": size_of(recipe), "kinds": kinds})
        return [number("ram_bytes", size_of(recipe), "B")]

    def answer(self, folder: Path, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Write the predictions of a network that is right four times of five; labels and predicted classes."""
        rng = np.random.default_rng(seed)
        labels = np.repeat(np.arange(len(self.classes)), self.tests)
        right = rng.random(len(labels)) < 0.8
        predicted = np.where(right, labels, rng.integers(0, len(self.classes), len(labels)))
        lines = [(f"test/{place}.png", labels[place], predicted[place]) for place in range(len(labels))]
        write_csv(folder / "predictions.csv", ["path", "label", "predicted"], lines)
        return labels, predicted

    def record(
        self, folder: Path, stage: str, axes: dict[str, str], numbers: list[dict[str, Any]], *,
        parameters: dict[str, Any] | None = None, facts: dict[str, Any] | None = None,
    ) -> Path:  # fmt: skip
        label = "/".join([stage, *axes.values()])
        sources = {"dataset": digest("dataset")} if stage != "dataset" else {}
        write_json(
            folder / "record.json",
            {
                "schema": "coralline.record", "version": 1, "key": digest("key", label), "digest": digest(label),
                "label": label, "stage": stage, "axes": axes, "engine": ENGINE, "host": HOST, "threads": 2,
                "key_parts": {"stage": stage, "parameters": {**(parameters or {}), **axes}, "inputs": sources},
                "started": STARTED, "seconds": 12.5, "numbers": numbers, "facts": facts or {},
                "warnings": [],
            },
        )  # fmt: skip
        self.inputs[label.replace("/", ".")] = folder
        return folder

    def edit(self, name: str, **values: Any) -> None:
        """Change parts of an artifact's record."""
        place = self.inputs[name] / "record.json"
        write_json(place, {**json.loads(place.read_text()), **values})


def dtype(recipe: str) -> str:
    """Type of the weights of a recipe's file."""
    kinds = {"float32": "float32", "float16": "float16", "ptq-int4": "int4", "two-bits": "int2"}
    return kinds.get(recipe, "int8")


def size_of(recipe: str) -> int:
    return SIZES.get(recipe, SIZES["ptq-int8"])


def digest(*words: str) -> str:
    return hashlib.sha256(" ".join(words).encode()).hexdigest()


def track(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw a few straight lines from the centre, in three slightly different views."""
    pixels = np.zeros((size, size, 3), np.uint8)
    for angle in rng.uniform(0, 6.28, 3):
        for radius in range(int(rng.uniform(4, size // 2))):
            for view in range(3):
                row = int(size / 2 + radius * np.sin(angle + 0.1 * view)) % size
                pixels[row, int(size / 2 + radius * np.cos(angle)) % size, view] = rng.integers(20, 255)
    return pixels


def save(place: Path, pixels: np.ndarray) -> str:
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(place)
    return hashlib.sha256(place.read_bytes()).hexdigest()


def write_json(place: Path, document: Any) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(document, indent=2, sort_keys=True))


def write_csv(place: Path, header: list[str], rows: list[Any]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(header)
        table.writerows(rows)
