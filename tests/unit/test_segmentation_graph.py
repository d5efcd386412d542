"""A network that finds pixels goes the way of any other, with masks for its data and C source at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coralline import catalogue, graph, request
from coralline.code import Code
from coralline.errors import ProfileError

if TYPE_CHECKING:
    from pathlib import Path


def test_it_learns_from_tracks_unless_other_data_are_named() -> None:
    assert graph.draw(request.make(model="unet447"))["dataset"].parameters["source"] == "tracks"
    named = graph.draw(request.make(model="unet447", data="stability"))["dataset"]
    assert named.parameters["source"] == "stability"
    assert {output.path for output in named.outputs} >= {"images.csv", "masks.csv"}


def test_data_without_masks_is_refused_in_one_line() -> None:
    with pytest.raises(ProfileError, match="unet447 cannot learn from 'simulate'"):
        request.make(model="unet447", data="simulate")
    with pytest.raises(ProfileError, match="inceptionv3 cannot learn from 'tracks'"):
        request.make(model="inceptionv3", data="tracks")


def test_it_goes_through_every_stage_that_any_network_goes_through() -> None:
    steps = graph.draw(request.make(model="unet447", recipes="all"))
    stages = {step.spec.name for step in steps.values()}
    assert stages >= {"dataset", "train", "qat", "convert", "check", "compile", "benchmark", "embed", "report"}
    assert "embed/unet447" in steps["report"].needs


def test_it_learns_on_few_bits_by_the_lesson_of_its_own_task(tmp_path: Path) -> None:
    steps = graph.draw(request.make(model="unet447", recipes="int2"))
    assert {"qat/unet447/qat-int4", "qat/unet447/int2", "convert/unet447/int2"} <= set(steps)
    files = Code(catalogue.PROJECT, tmp_path / "memory.json").of_step(
        catalogue.specs()["qat"], steps["qat/unet447/int2"].parameters
    )
    assert {path for path in files if path.startswith("stages/qat/lessons/")} >= {"stages/qat/lessons/segmentation.py"}


def test_only_tiny_networks_become_source() -> None:
    assert not [label for label in graph.draw(request.make(model="inceptionv3")) if label.startswith("embed")]


def test_a_step_has_the_code_of_its_own_task(tmp_path: Path) -> None:
    code = Code(catalogue.PROJECT, tmp_path / "memory.json")
    for model, own, other in (("unet447", "segmentation", "pixels"), ("inceptionv3", "classification", "accuracy")):
        drawn = graph.draw(request.make(model=model))
        files = code.of_step(catalogue.specs()["benchmark"], drawn[f"benchmark/{model}/float32/tflite-cpu"].parameters)
        assert f"stages/tasks/{own}.py" in files
        assert any(other in path for path in files)
        if model == "inceptionv3":
            assert "stages/tasks/segmentation.py" not in files
