"""A recipe below eight bits goes on from a full-int8 file, and runs where such files run and nowhere else."""

from __future__ import annotations

import pytest

from coralline import catalogue, graph, request

MODEL, BASE = "efficientnetv2b0", "ptq-int8"
NARROW = [name for name, recipe in catalogue.recipes().items() if recipe.narrowed]


def steps(recipes: str, **words: str) -> dict[str, graph.Step]:
    return graph.draw(request.make(model=MODEL, recipes=recipes, **words))


@pytest.mark.parametrize("recipe", NARROW)
def test_the_int8_file_is_made_first_whether_asked_for_or_not(recipe: str) -> None:
    drawn = steps(recipe)
    step = drawn[f"convert/{MODEL}/{recipe}"]
    assert step.sources["int8"] == f"convert/{MODEL}/{BASE}"
    assert step.sources["model"] == f"train/{MODEL}"
    assert list(drawn).index(step.sources["int8"]) < list(drawn).index(step.label)


@pytest.mark.parametrize("recipe", NARROW)
def test_it_runs_in_litert_alone(recipe: str) -> None:
    labels = {label for label in steps(recipe) if label.endswith(f"/{recipe}") or f"/{recipe}/" in label}
    assert labels == {f"convert/{MODEL}/{recipe}", f"benchmark/{MODEL}/{recipe}/litert-cpu"}
    assert f"benchmark/{MODEL}/{BASE}/tflite-cpu" in steps(recipe)


@pytest.mark.parametrize("recipe", NARROW)
def test_it_is_made_only_when_named(recipe: str) -> None:
    assert not any(recipe in label for label in steps(""))
    assert f"convert/{MODEL}/{recipe}" in steps("all")


def test_a_recipe_and_its_base_are_each_there_once() -> None:
    asked = request.make(model=MODEL, recipes=f"ptq-int4,{BASE},float32")
    assert asked.recipes == (BASE, "ptq-int4", "float32")


def test_every_base_is_a_full_int8_recipe() -> None:
    table = catalogue.recipes()
    assert NARROW
    assert all(table[table[name].base or ""].int8 for name in NARROW)


STORED = [name for name, recipe in catalogue.recipes().items() if recipe.stored]


@pytest.mark.parametrize("recipe", STORED)
def test_what_nothing_executes_is_made_in_a_container_and_measured_for_its_accuracy_alone(recipe: str) -> None:
    drawn = steps(recipe)
    base = catalogue.recipes()[recipe].base
    assert drawn[f"qat/{MODEL}/{recipe}"].sources["start"] == f"qat/{MODEL}/{base}"
    assert drawn[f"qat/{MODEL}/{recipe}"].sources["model"] == f"train/{MODEL}"  # the teacher
    made = drawn[f"convert/{MODEL}/{recipe}"]
    assert made.sources["model"] == f"qat/{MODEL}/{recipe}"
    assert {output.path for output in made.outputs} == {"model.packed", "conversion.json"}
    measured = [step for label, step in drawn.items() if label.startswith(f"benchmark/{MODEL}/{recipe}/")]
    assert [step.axes["runtime"] for step in measured] == ["unpacked-cpu"]
    assert "latency.json" not in {output.path for output in measured[0].outputs}
    assert not [label for label in drawn if label.startswith(("compile/", "check/")) and recipe in label]


@pytest.mark.parametrize("recipe", STORED)
def test_on_a_gpu_it_goes_on_from_what_was_trained_there(recipe: str) -> None:
    drawn = graph.draw(request.make(model=MODEL, recipes=recipe, gpus=True))
    assert drawn[f"qat/{MODEL}/{recipe}"].sources["start"] in drawn


def test_every_executed_file_is_timed() -> None:
    timed = [step for label, step in steps("all").items() if label.startswith("benchmark/")]
    untimed = [step for step in timed if "latency.json" not in {output.path for output in step.outputs}]
    assert {step.axes["recipe"] for step in untimed} == set(STORED)
