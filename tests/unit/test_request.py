from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coralline import catalogue, graph, request
from coralline.errors import ProfileError

if TYPE_CHECKING:
    from pathlib import Path


def refused(**words: object) -> ProfileError:
    with pytest.raises(ProfileError) as caught:
        request.make(**words)  # type: ignore[arg-type]
    return caught.value


def test_an_unknown_model_names_the_nearest() -> None:
    error = refused(model="inception3")
    assert error.message == "no such model 'inception3'"
    assert error.hint.startswith("did you mean 'inceptionv3'? Models: densenet169")


def test_no_model_lists_them_all() -> None:
    assert "resnet50v2" in refused().hint


def test_the_data_set_alone_needs_no_model() -> None:
    assert list(graph.draw(request.make(only="dataset"))) == ["dataset"]


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ("train.epoch=2", "'epochs'"),
        ("trian.epochs=2", "'train'"),
        ("train.epochs=many", "whole number from 0"),
        ("train.epochs=-1", "whole number from 0"),
        ("train.inceptionv4.epochs=2", "'inceptionv3'"),
        ("epochs=2", "stage.parameter=value"),
        ("train.epochs", "stage.parameter=value"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(setting: str, word: str) -> None:
    assert word in refused(model="inceptionv3", settings=[setting]).hint


def test_a_setting_that_cannot_matter_is_refused() -> None:
    assert "dataset.source" in refused(model="inceptionv3", settings=["dataset.on_bad_image=skip"]).message


def test_a_missing_folder_is_refused() -> None:
    assert "does not exist" in refused(model="inceptionv3", data="nowhere").message


def test_an_input_too_small_for_the_network_is_refused() -> None:
    assert "75 pixels" in refused(model="inceptionv3", settings=["train.input_size=64"]).hint


def test_an_unknown_profile_names_the_known() -> None:
    assert "quick" in refused(model="inceptionv3", profile="quik").hint


@pytest.mark.parametrize(
    "text", ["train.epochs = ", "[train]\nepochs = 'x'", "[train]\nepoch = 1", "[trian]\nepochs = 1", "x = 1"]
)
def test_a_wrong_profile_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    error = refused(model="inceptionv3", profile=str(tmp_path / "mine.toml"))
    assert "mine.toml" in error.message


def test_the_profile_speaks_for_single_models_and_the_user_for_all() -> None:
    wanted = request.make(model="efficientnetv2b0", profile="paper")
    assert wanted.value("train", "batch", "efficientnetv2b0") == 12
    assert wanted.value("train", "batch", "inceptionv3") == 64
    wanted = request.make(model="efficientnetv2b0", profile="paper", settings=["train.batch=7"])
    assert wanted.value("train", "batch", "efficientnetv2b0") == 7


def test_several_models_share_one_data_set() -> None:
    steps = graph.draw(request.make(model="all"))
    assert [label for label in steps if label.startswith("dataset")] == ["dataset"]
    assert sum(label.startswith("train/") for label in steps) >= 4


def test_a_recipe_reaches_convert_and_benchmark_only() -> None:
    few = graph.draw(request.make(model="inceptionv3", recipes="float16"))
    assert "convert/inceptionv3/float16" in few
    assert "benchmark/inceptionv3/float32-keras/keras-cpu" in few
    assert not any("ptq" in label or label.startswith("compile") for label in few)


def test_every_step_comes_after_what_it_needs() -> None:
    seen: set[str] = set()
    for label, step in graph.draw(request.make(model="all")).items():
        assert set(step.needs) <= seen
        seen.add(label)


def test_from_takes_in_all_that_follows() -> None:
    steps = graph.draw(request.make(model="inceptionv3"))
    again = graph.descendants(steps, "convert")
    assert "train/inceptionv3" not in again
    assert {"convert/inceptionv3/dynamic", "benchmark/inceptionv3/dynamic/tflite-cpu", "report"} <= again
    assert "benchmark/inceptionv3/float32-keras/keras-cpu" not in again


@pytest.mark.parametrize("word", ["", "~nobody-of-this-name/images", "/proc/1/root/nothing", "nowhere/at/all"])
def test_a_data_folder_that_cannot_be_looked_at_is_refused(word: str) -> None:
    assert refused(model="inceptionv3", data=word).message.startswith("--data: ")


def test_data_and_its_source_must_agree(tmp_path: Path) -> None:
    error = refused(model="inceptionv3", data=str(tmp_path), settings=["dataset.source=simulate"])
    assert error.message == "--data is given, but dataset.source is 'simulate'"
    assert "--data FOLDER" in refused(model="inceptionv3", settings=["dataset.source=folder"]).hint


def test_a_tdp_is_told_to_every_stage_that_asks_for_it() -> None:
    steps = graph.draw(request.make(model="inceptionv3", tdp="cpu=65, gpu=300.5"))
    asking = [step for step in steps.values() if any(one.name == "cpu_tdp_w" for one in step.spec.parameters)]
    assert "report" in [step.label for step in asking]
    for step in asking:
        assert (step.parameters["cpu_tdp_w"], step.parameters["gpu_tdp_w"]) == (65.0, 300.5)
        assert step.parameters["edgetpu_tdp_w"] == 0.0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("65", "'65' is not DEVICE=WATTS"),
        ("gpus=65", "no such device 'gpus'"),
        ("cpu=much", "--tdp cpu = 'much' is not possible"),
        ("cpu=-1", "--tdp cpu = -1.0 is not possible"),
        ("cpu=nan", "--tdp cpu = nan is not possible"),
        ("cpu=0", "--tdp cpu = 0 is no TDP"),
        ("cpu=65,cpu=70", "--tdp cpu is given twice"),
        ("cpu=65,", "'' is not DEVICE=WATTS"),
        (",", "'' is not DEVICE=WATTS"),
        ("", "'' is not DEVICE=WATTS"),
    ],
)
def test_a_tdp_that_is_none_is_refused(words: str, told: str) -> None:
    error = refused(model="inceptionv3", tdp=words)
    assert told in error.message
    assert error.hint


def test_an_unknown_device_names_each_known_one_once() -> None:
    assert refused(model="inceptionv3", tdp="cpus=65").hint == "did you mean 'cpu'? Devices: cpu, edgetpu, gpu"


def test_a_meters_log_is_read_by_the_report_and_part_of_its_key_alone(tmp_path: Path) -> None:
    log = tmp_path / "power.csv"
    log.write_text("time_s,power_w\n")
    steps = graph.draw(request.make(model="inceptionv3", meter=str(log)))
    assert steps["report"].externals["meter"].keyed
    readers = {step.spec.name for step in steps.values() if "meter" in step.externals}
    assert not readers & {"dataset", "train", "convert", "benchmark"}
    assert "meter" not in graph.draw(request.make(model="inceptionv3"))["report"].externals


def test_what_the_meter_feeds_is_told_to_every_stage_that_reads_its_file(tmp_path: Path) -> None:
    log = tmp_path / "power.csv"
    log.write_text("time_s,power_w\n")
    asked = request.make(model="inceptionv3", meter=str(log), meter_on="edgetpu")
    readers = {
        name
        for name, spec in catalogue.specs().items()
        if any(one.external == "meter" for variant in spec.variants for one in variant.inputs.values())
    }
    assert readers == {"report", "paper"}
    assert {name: asked.values[f"{name}.meter_on"] for name in readers} == dict.fromkeys(readers, "edgetpu")
    assert "without --meter" in refused(model="inceptionv3", meter_on="edgetpu").message
    assert "'cpu'" in refused(model="inceptionv3", meter=str(log), meter_on="cpu").message


@pytest.mark.parametrize("option", ["init", "meter"])
def test_what_must_be_one_file_is_refused_at_once_when_it_is_a_folder(tmp_path: Path, option: str) -> None:
    assert "is a folder" in refused(model="inceptionv3", **{option: str(tmp_path)}).message
    assert "does not exist" in refused(model="inceptionv3", **{option: str(tmp_path / "none")}).message


@pytest.mark.parametrize(("gpus", "image"), [(False, "train"), (True, "train-gpu")])
def test_gpus_are_for_every_stage_that_trains(gpus: bool, image: str) -> None:
    steps = graph.draw(request.make(model="inceptionv3", recipes="qat-int8,qat-int8-paper", gpus=gpus))
    trainings = [step for step in steps.values() if step.spec.name in ("train", "qat")]
    assert [step.label for step in trainings] == [
        *("train/inceptionv3", "qat/inceptionv3/qat-int8", "qat/inceptionv3/qat-int8-paper")
    ]
    assert {step.variant.image for step in trainings} == {image}
