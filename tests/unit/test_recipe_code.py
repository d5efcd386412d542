"""Whose code a recipe and a runtime are: a changed one is work for its own steps and for no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coralline.catalogue import PROJECT
from coralline.code import Code
from stages.benchmark.spec import RUNTIMES
from stages.benchmark.spec import SPEC as BENCHMARK
from stages.convert.spec import RECIPES
from stages.convert.spec import SPEC as CONVERT
from stages.qat.spec import SPEC as QAT
from stages.train.spec import SPEC as TRAIN

if TYPE_CHECKING:
    from pathlib import Path


def paths(code: Code, recipe: str) -> set[str]:
    return set(code.of_step(CONVERT, {"model": "inceptionv3", "recipe": recipe}))


@pytest.fixture
def code(tmp_path: Path) -> Code:
    return Code(PROJECT, tmp_path / "memory.json")


def test_each_recipe_is_code_of_its_own_steps_alone(code: Code) -> None:
    for recipe in RECIPES:
        own = {path for path in paths(code, recipe) if path.startswith("stages/convert/recipes/")}
        assert own == {f"stages/convert/recipes/{recipe.replace('-', '_')}.py"}


def test_what_only_int8_needs_is_no_code_of_float_recipes(code: Code) -> None:
    shared = {f"stages/convert/{name}.py" for name in ("__init__", "__main__", "network", "source", "recipes/__init__")}
    for recipe in ("float32", "float16", "dynamic"):
        own = {path for path in paths(code, recipe) if path.startswith("stages/convert/")}
        assert own - shared == {f"stages/convert/recipes/{recipe}.py"}
    assert {"stages/convert/judge.py", "stages/convert/ranges.py"} <= paths(code, "ptq-int8") - paths(code, "float32")


def test_each_way_of_training_for_int8_is_code_of_its_own_recipe_alone(code: Code) -> None:
    ways = {name.replace("-", "_") for name, recipe in RECIPES.items() if recipe.trained}
    for recipe in ("qat-int8", "qat-int8-paper"):
        files = code.of_step(QAT, {"model": "inceptionv3", "recipe": recipe})
        own = {path.rpartition("/")[2][: -len(".py")] for path in files if path.startswith("stages/qat/ways/")}
        assert own & ways == {recipe.replace("-", "_")}
        assert ("stages/convert/simulation.py" in files) == (recipe == "qat-int8")


def test_how_a_trained_network_is_quantised_is_no_reason_to_train_it_again(code: Code) -> None:
    files = code.of_step(TRAIN, {"model": "inceptionv3"})
    assert "stages/network.py" in files
    assert not {"stages/rewrite.py", "stages/trained.py"} & files.keys()


def test_the_table_of_recipes_is_no_code_of_any(code: Code) -> None:
    assert not any(path.endswith("/spec.py") for recipe in RECIPES for path in paths(code, recipe))


def test_each_runtime_is_code_of_its_own_steps_alone(code: Code) -> None:
    modules = {name.replace("-", "_") for name in RUNTIMES}
    for runtime in RUNTIMES:
        files = code.of_step(BENCHMARK, {"model": "inceptionv3", "recipe": "float32", "runtime": runtime})
        own = {path.rpartition("/")[2][: -len(".py")] for path in files if path.startswith("stages/benchmark/")}
        assert own & modules == {runtime.replace("-", "_")}
