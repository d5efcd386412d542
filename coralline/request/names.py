"""The words for stages, models, recipes and parameters, found among those that exist or refused by the nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coralline import catalogue
from coralline.errors import ProfileError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stages.spec import Parameter


def one(word: str, known: Iterable[str], kind: str, where: str = "") -> str:
    """Return the word if it is one of the known."""
    if word not in known:
        place = f"{where}: " if where.endswith(".toml") else ""
        raise ProfileError(f"{place}no such {kind} {word!r}", hint=nearest(word, known, kind.capitalize() + "s"))
    return word


def several(words: str, known: list[str], kind: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Several names separated by commas, `all`, or `default`; each once, in the order given."""
    if words == "all":
        return tuple(known)
    if words == "default" and default:
        return default
    chosen = tuple(dict.fromkeys(word.strip() for word in words.split(",") if word.strip()))
    if not chosen:
        raise ProfileError(
            f"no {kind} chosen", hint=f"--{kind} NAME, several separated by commas, or all: {', '.join(known)}"
        )
    return tuple(one(word, known, kind) for word in chosen)


def is_modelless(stage: str) -> bool:
    """Whether the stage, and so all that it needs, has nothing to do with a model."""
    variants = catalogue.specs()[stage].variants
    return all(not variant.per and not any(i.stage for i in variant.inputs.values()) for variant in variants)


def default_recipes(only: str | None) -> tuple[str, ...]:
    """Return what the stage asks for which alone is wanted, or else the usual recipes."""
    wanted = catalogue.specs()[only].default_recipes if only else ()
    return wanted or tuple(name for name, recipe in catalogue.recipes().items() if recipe.default)


def all_models(only: str | None) -> tuple[str, ...]:
    """Return what the stage means by all models which alone is wanted; nothing where it does not say."""
    return catalogue.specs()[only].all_models if only else ()


def with_bases(recipes: tuple[str, ...]) -> tuple[str, ...]:
    """Put the recipe whose file another one is made from before it, asked for or not."""
    table = catalogue.recipes()
    found = [name for recipe in recipes for name in (table[recipe].base, recipe) if name is not None]
    return tuple(dict.fromkeys(found))


def find_parameter(dotted: str, where: str) -> Parameter:
    """Find the parameter that `stage.name` or `stage.model.name` means."""
    stage, _, rest = dotted.partition(".")
    model, _, name = rest.rpartition(".")
    spec = catalogue.specs()[one(stage, catalogue.specs(), "stage", where)]
    if model:
        one(model, catalogue.models(), "model", where)
    by_name = {parameter.name: parameter for parameter in spec.parameters}
    if name not in by_name:
        raise ProfileError(
            f"{where}: stage {stage} has no parameter {name!r}", hint=nearest(name, by_name, "parameters")
        )
    return by_name[name]


def everywhere() -> Iterable[tuple[str, Parameter]]:
    """All parameters of all stages, as `stage.name`."""
    for spec in catalogue.specs().values():
        for parameter in spec.parameters:
            yield f"{spec.name}.{parameter.name}", parameter
