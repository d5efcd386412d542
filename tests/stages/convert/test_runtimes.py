"""Each recipe's numbers of size stand with the runtime that the graph measures its files on."""

from __future__ import annotations

import pytest

from stages.convert.__main__ import load_recipe
from stages.convert.spec import RECIPES


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_names_the_runtime_that_takes_all_that_it_may_make(name: str) -> None:
    recipe = RECIPES[name]
    wanted = "tflite-cpu" if recipe.whole_bytes else "unpacked-cpu" if recipe.stored else "litert-cpu"
    assert getattr(load_recipe(name), "RUNTIME", "tflite-cpu") == wanted
