"""Stages that answer a question of their own: drawn only when they are named, with what they need."""

from __future__ import annotations

import pytest

from coralline import catalogue, graph, request
from coralline.catalogue import specs
from stages.models import Model

NEEDED = [
    "dataset",
    "train/inceptionv3",
    "convert/inceptionv3/ptq-int8",
    "compile/inceptionv3/ptq-int8",
    "benchmark/inceptionv3/ptq-int8/edgetpu",
    "parity/inceptionv3/ptq-int8",
]


def test_only_parity_and_paper_are_asked_for_by_name() -> None:
    assert sorted(name for name, spec in specs().items() if spec.asked) == ["paper", "parity"]


def test_an_asked_stage_is_no_part_of_all() -> None:
    drawn = {step.spec.name for step in graph.draw(request.make(model="all", recipes="all")).values()}
    assert not drawn & {"paper", "parity"}


def test_a_stage_may_ask_for_recipes_of_its_own_and_the_user_for_others() -> None:
    assert request.make(model="inceptionv3", only="paper").recipes == specs()["paper"].default_recipes
    assert request.make(model="inceptionv3", only="paper", recipes="float32").recipes == ("float32",)
    usual = request.make(model="inceptionv3").recipes
    assert request.make(model="inceptionv3", only="parity").recipes == usual != specs()["paper"].default_recipes


def test_by_all_models_a_stage_may_mean_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    models = catalogue.models()
    monkeypatch.setattr(catalogue, "models", lambda: {**models, "another": Model("another", "Another", 32)})
    assert request.make(model="all", only="paper").models == specs()["paper"].all_models
    assert "another" in request.make(model="all").models
    assert request.make(model="another", only="paper").models == ("another",)


def test_the_paper_gathers_everything_that_its_recipes_make() -> None:
    steps = graph.draw(request.make(model="inceptionv3,resnet50v2", only="paper"))
    gathered = set(steps["paper"].gathered.values())
    assert gathered == {label for label, step in steps.items() if step.spec.name not in ("dataset", "paper")}
    assert {"qat/resnet50v2/qat-int8-paper", "benchmark/inceptionv3/ptq-int8-stock/edgetpu"} <= gathered


def test_named_it_is_drawn_with_what_it_needs_and_nothing_else() -> None:
    assert list(graph.draw(request.make(model="inceptionv3", only="parity"))) == NEEDED


def test_made_again_by_name_it_is_drawn_too() -> None:
    steps = graph.draw(request.make(model="inceptionv3", again_from="parity"))
    assert "report" in steps
    assert graph.descendants(steps, "parity") == {"parity/inceptionv3/ptq-int8"}


def test_only_recipes_of_full_int8_are_compared() -> None:
    steps = graph.draw(request.make(model="inceptionv3", recipes="all", only="parity"))
    found = [step.axes["recipe"] for step in steps.values() if step.spec.name == "parity"]
    assert found == ["ptq-int8-stock", "ptq-int8", "qat-int8"]


@pytest.mark.parametrize("model", ["inceptionv3", "resnet50v2"])
def test_it_gathers_the_stick_s_measurement_of_its_own_model_and_recipe_alone(model: str) -> None:
    steps = graph.draw(request.make(model="inceptionv3,resnet50v2", recipes="all", only="parity"))
    step = steps[f"parity/{model}/ptq-int8"]
    label = f"benchmark/{model}/ptq-int8/edgetpu"
    assert step.gathered == {label.replace("/", "."): label}
    assert step.sources["model"] == f"convert/{model}/ptq-int8"


def test_a_report_gathers_as_before_all_models_and_runtimes() -> None:
    steps = graph.draw(request.make(model="inceptionv3,resnet50v2"))
    benchmarks = {label for label in steps if label.startswith("benchmark/")}
    assert benchmarks <= set(steps["report"].gathered.values())
    assert {label.split("/")[1] for label in benchmarks} == {"inceptionv3", "resnet50v2"}
