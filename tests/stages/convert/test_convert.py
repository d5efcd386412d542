"""The convert stage on real TensorFlow: what each recipe's file holds, and that it says what the network says."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from deployed import run

from stages.contract import InputError, Step
from stages.convert import finetune, greedy, resort, tuned
from stages.convert.__main__ import main
from stages.convert.calibration import draw
from stages.convert.judge import judging_rows, unseen
from stages.convert.source import Source
from stages.images import ImageSet, as_floats
from stages.tasks import score
from stages.tflite.model import Model, float_tensors, read_model
from stages.trained import load_trained

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 75


@dataclass(frozen=True)
class Made:
    """What one convert step left."""

    out: Path
    events: list[dict[str, Any]]

    @property
    def content(self) -> bytes:
        return (self.out / "model.tflite").read_bytes()

    @property
    def model(self) -> Model:
        return read_model(self.content)

    @property
    def conversion(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.out / "conversion.json").read_text())
        return told

    @property
    def record(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.out / "record.json").read_text())
        return told

    @property
    def operators(self) -> dict[str, int]:
        return {entry["name"]: entry["version"] for entry in self.conversion["operators"]}


def convert(out: Path, trained: Path, dataset: Path, recipe: str, *, threads: int = 2, **values: Any) -> Made:
    out.mkdir()
    tf.keras.backend.clear_session()  # a step's process begins to number its layers at none
    step = Step(
        stage="convert",
        label="convert",
        parameters={"recipe": recipe, "calibration_images": 40, "calibration_seed": 1, "judging_images": 12, **values},
        threads=threads,
        inputs={"model": trained, "dataset": dataset},
        out=out,
        partial=None,
        events=io.StringIO(),
    )
    main(step)
    assert isinstance(step.events, io.StringIO)
    return Made(out, [json.loads(line) for line in step.events.getvalue().splitlines()])


def drawn(out: Path, dataset: Path, *, wanted: int, seed: int) -> tuple[list[str], list[str]]:
    """Paths of the calibration images and the warnings, for a network without validation images."""
    values = {"calibration_images": wanted, "calibration_seed": seed}
    step = Step("convert", "convert", values, 1, {"dataset": dataset}, out, None, events=io.StringIO())
    rows = draw(Source(step, None, {"validation_images": []}), ImageSet.read(step))
    assert isinstance(step.events, io.StringIO)
    return [row.path for row in rows], [json.loads(line)["message"] for line in step.events.getvalue().splitlines()]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, inception: Path, blobs: Path) -> dict[str, Made]:
    folder = tmp_path_factory.mktemp("made")
    recipes = ("float32", "float16", "dynamic", "ptq-int8-stock", "ptq-int8")
    return {recipe: convert(folder / recipe, inception, blobs, recipe) for recipe in recipes}


@pytest.fixture(scope="session")
def pictures(blobs: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    images = ImageSet.read(Step("", "", {}, 1, {"dataset": blobs}, tmp_path_factory.getbasetemp(), None))
    return np.stack([images.load(row, SIZE) for row in images.rows("test")])


@pytest.fixture(scope="session")
def truth(inception: Path, pictures: np.ndarray) -> np.ndarray:
    probabilities: np.ndarray = load_trained(inception)[0].predict(as_floats(pictures), verbose=0)
    return probabilities


def test_float32_says_what_the_network_says(made: dict[str, Made], pictures: np.ndarray, truth: np.ndarray) -> None:
    # BatchNorm folded into convolutions rounds differently: units in the last place of float32, through 94 layers.
    assert np.abs(run(made["float32"].content, pictures) - truth).max() < 1e-4


@pytest.mark.parametrize("recipe", ["float16", "dynamic", "ptq-int8-stock", "ptq-int8"])
def test_a_quantised_file_predicts_what_the_network_predicts(
    made: dict[str, Made], pictures: np.ndarray, truth: np.ndarray, recipe: str
) -> None:
    same = run(made[recipe].content, pictures).argmax(axis=1) == truth.argmax(axis=1)
    assert same.mean() >= 0.95  # 24 images: at most one may change


def test_sizes_fall_with_the_bits_of_the_weights(made: dict[str, Made]) -> None:
    sizes = {recipe: len(one.content) for recipe, one in made.items()}
    assert sizes["float16"] == pytest.approx(sizes["float32"] / 2, rel=0.01)
    assert sizes["dynamic"] == pytest.approx(sizes["float32"] / 4, rel=0.03)
    assert sizes["ptq-int8"] == pytest.approx(sizes["float32"] / 4, rel=0.05)


@pytest.mark.parametrize("recipe", ["float32", "float16", "dynamic", "ptq-int8-stock", "ptq-int8"])
def test_the_record_describes_the_file(made: dict[str, Made], recipe: str) -> None:
    one = made[recipe]
    told = {"unit": "B", "n": None, "interval": None, "runtime": "tflite-cpu"}
    assert one.record["numbers"] == [
        {**told, "metric": "size_bytes", "value": len(one.content)},
        {**told, "metric": "payload_bytes", "value": one.conversion["payload_bytes"]},
        {**told, "metric": "overhead_bytes", "value": one.conversion["overhead_bytes"]},
    ]
    assert one.conversion["size_bytes"] == len(one.content)
    assert one.conversion["classes"] == ["cc_numu", "cc_nue", "nc"]
    assert one.conversion["input"]["shape"] == [1, SIZE, SIZE, 3]
    assert sum(entry["count"] for entry in one.conversion["operators"]) == len(one.model.main.operators)


@pytest.mark.parametrize("recipe", ["ptq-int8-stock", "ptq-int8"])
def test_full_int8_leaves_no_float_tensor(made: dict[str, Made], recipe: str) -> None:
    assert float_tensors(made[recipe].model) == []


def test_the_stock_way_makes_the_same_operators(made: dict[str, Made]) -> None:
    assert made["ptq-int8-stock"].operators == made["ptq-int8"].operators
    assert made["ptq-int8-stock"].conversion["quantisation"] is None


def test_the_search_says_what_it_tried_and_chose(made: dict[str, Made]) -> None:
    told = made["ptq-int8"].conversion["quantisation"]
    assert told["judging_images"] == 12
    assert told["of_them_kept_for_validation"] == 6
    assert len(told["candidates"]) == 8
    assert told["candidates"][0] == told["chosen"]
    assert [one["regret"] for one in told["candidates"]] == sorted(one["regret"] for one in told["candidates"])
    assert told["float32"]["agreement"] == 1
    assert told["remedies"][0]["remedy"] == "minimum and maximum"
    assert len(told["worst_activations"]) == 12
    assert "last_resorts" not in told  # it is within tolerance


def test_images_that_judge_calibrate_nothing(made: dict[str, Made], inception: Path, blobs: Path) -> None:
    step = Step("", "", {"judging_images": 30}, 1, {"dataset": blobs}, inception, None)
    kept = json.loads((inception / "model.json").read_text())["validation_images"]
    judging = [row.path for row in judging_rows(Source(step, None, {"validation_images": kept}), ImageSet.read(step))]
    assert set(kept) < set(judging)
    assert len(set(judging)) == 30
    first = judging_rows(
        Source(replace(step, parameters={"judging_images": 12}), None, {"validation_images": kept}), ImageSet.read(step)
    )
    assert not {row.path for row in first} & set(made["ptq-int8"].conversion["calibration"]["images"])


def test_of_weights_that_were_brought_no_image_counts_as_kept(tmp_path: Path, blobs: Path) -> None:
    step = Step("", "", {"judging_images": 12}, 1, {"dataset": blobs}, tmp_path, None)
    images = ImageSet.read(step)
    kept = [row.path for row in images.rows("train")[:6]]
    for best, count in ((3, 6), (0, 0)):
        source = Source(step, None, {"validation_images": kept, "best_epoch": best})
        assert unseen(source, judging_rows(source, images)) == count


def test_at_least_half_of_the_training_images_are_left_to_calibrate_with(tmp_path: Path, blobs: Path) -> None:
    step = Step("", "", {"judging_images": 500}, 1, {"dataset": blobs}, tmp_path, None)
    assert len(judging_rows(Source(step, None, {"validation_images": []}), ImageSet.read(step))) == 30


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, resnet: Path, blobs: Path) -> Made:
    """The int8 file of ResNet50V2, of few images."""
    return convert(tmp_path_factory.mktemp("searched") / "out", resnet, blobs, "ptq-int8", calibration_images=16)


def test_pre_activation_batchnorm_becomes_depthwise(searched: Made) -> None:
    one = searched
    assert "DEPTHWISE_CONV_2D" in one.operators
    assert "MUL" not in one.operators
    assert float_tensors(one.model) == []
    told = one.conversion["quantisation"]
    assert [step["remedy"] for step in told["remedies"]][:2] == [
        "minimum and maximum",
        "17 BatchNorm as depthwise convolution",
    ]
    assert told["chosen"]["regret"] <= min(step["regret"] for step in told["remedies"])


def test_calibration_goes_on_until_ranges_and_score_have_converged(
    tmp_path: Path, efficientnet: Path, blobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuned, "FIRST_ROUND", 10)
    monkeypatch.setattr(tuned, "CONVERGED_WIDTH", 10.0)
    monkeypatch.setattr(tuned, "CONVERGED_REGRET", 1.0)
    one = convert(tmp_path / "out", efficientnet, blobs, "ptq-int8")
    calibration = one.conversion["calibration"]
    assert [entry["images"] for entry in calibration["convergence"]] == [10, 20]  # of 40 asked for
    assert (len(calibration["images"]), calibration["asked"]) == (20, 40)
    assert calibration["convergence"][0]["change_of_ranges"] is None
    assert 0 < calibration["convergence"][1]["change_of_ranges"] < 0.5
    # A static batch leaves no shape arithmetic in squeeze-excite blocks.
    assert one.operators.keys() == {
        *("ADD", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "LOGISTIC", "MEAN", "MUL", "QUANTIZE", "SOFTMAX")
    }
    assert float_tensors(one.model) == []
    assert "swish inputs cut at -8" in [step["remedy"] for step in one.conversion["quantisation"]["remedies"]]


def test_where_nothing_is_within_tolerance_the_last_resorts_are_tried_and_told(
    tmp_path: Path, efficientnet: Path, blobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score, "TOLERANCE", -1.0)
    monkeypatch.setattr(resort, "LEAST_JUDGED", 12)
    monkeypatch.setattr(greedy, "GROUPS", 1)
    monkeypatch.setattr(finetune, "STEPS", 2)
    one = convert(tmp_path / "out", efficientnet, blobs, "ptq-int8", calibration_images=16)
    told = one.conversion["quantisation"]
    assert [entry["remedy"] for entry in told["last_resorts"]] == [resort.SEARCHED, resort.TUNED]
    assert told["last_resorts"][0]["tries"] == len(greedy.FACTORS)
    assert told["last_resorts"][1]["images"] == 16
    assert [entry for entry in told["remedies"] if entry["remedy"].startswith(resort.TUNED)]
    assert told["candidates"][0].keys() <= {"beyond", *told["chosen"]}
    assert float_tensors(one.model) == []
    assert one.operators.keys() >= {"CONV_2D", "LOGISTIC", "MEAN"}
    assert [event for event in one.events if event["event"] == "warning" and "expected to lose" in event["message"]]


def test_full_int8_takes_the_bytes_of_an_image_as_they_are(made: dict[str, Made]) -> None:
    entry = made["ptq-int8"].conversion["input"]
    assert entry["dtype"] == "uint8"
    assert (np.float32(entry["scale"]), entry["zero_point"]) == (np.float32(1 / 255), 0)
    assert made["ptq-int8"].conversion["output"] == {
        "shape": [1, 3],
        "dtype": "uint8",
        "scale": 1 / 256,
        "zero_point": 0,
    }


def test_full_int8_has_a_scale_for_each_channel_of_the_weights(made: dict[str, Made]) -> None:
    graph = made["ptq-int8"].model.main
    kernels = [graph.tensors[operator.inputs[1]] for operator in graph.operators if operator.name == "CONV_2D"]
    assert [len(kernel.scales) for kernel in kernels] == [kernel.shape[0] for kernel in kernels]


def test_full_int8_has_the_operator_versions_that_the_edge_tpu_compiler_knows(made: dict[str, Made]) -> None:
    assert made["ptq-int8"].operators == {
        "AVERAGE_POOL_2D": 2,
        "CONCATENATION": 2,
        "CONV_2D": 3,
        "FULLY_CONNECTED": 4,
        "MAX_POOL_2D": 2,
        "MEAN": 2,
        "QUANTIZE": 1,
        "SOFTMAX": 2,
    }


def test_the_same_step_makes_the_same_bytes_on_any_number_of_threads(
    searched: Made, tmp_path: Path, resnet: Path, blobs: Path
) -> None:
    again = convert(tmp_path / "again", resnet, blobs, "ptq-int8", threads=1, calibration_images=16)
    assert again.content == searched.content
    assert again.conversion == searched.conversion


def test_calibration_draws_each_class_alike_and_no_validation_image(made: dict[str, Made], inception: Path) -> None:
    calibration = made["ptq-int8"].conversion["calibration"]
    kept = json.loads((inception / "model.json").read_text())["validation_images"]
    assert len(set(calibration["images"])) == 40
    assert made["ptq-int8"].record["facts"]["calibration_images"] == 40
    assert not set(calibration["images"]) & set(kept)
    classes = [path.split("/")[1] for path in calibration["images"]]
    # 48 images are left of 60: 6 were kept for validation, all of nc, and 6 more judge: 2 + 2 + 2.
    assert {name: classes.count(name) for name in set(classes)} == {"cc_numu": 15, "cc_nue": 15, "nc": 10}


def test_another_seed_draws_other_images(tmp_path: Path, blobs: Path) -> None:
    first, second = (drawn(tmp_path, blobs, wanted=40, seed=seed)[0] for seed in (1, 2))
    assert len(first) == len(second) == 40
    assert set(first) != set(second)


def test_too_few_images_are_all_used_with_a_warning(tmp_path: Path, blobs: Path) -> None:
    paths, warnings = drawn(tmp_path, blobs, wanted=500, seed=1)
    assert len(set(paths)) == 60
    assert warnings == ["calibration with 60 images instead of 500: the training split has no more"]


def test_progress_counts_the_calibration_images(made: dict[str, Made]) -> None:
    told = [event for event in made["ptq-int8"].events if event.get("unit") == "image"]
    assert (told[0]["done"], told[-1]["done"]) == (0, 40)
    assert {event["total"] for event in told} == {40}


def test_an_unknown_recipe_is_the_users_error(tmp_path: Path, inception: Path, blobs: Path) -> None:
    with pytest.raises(InputError, match="no such recipe 'ptq-int9'"):
        convert(tmp_path / "out", inception, blobs, "ptq-int9")
