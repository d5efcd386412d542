"""The user's words become a Request, or an error that names the nearest right word."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from coralline import catalogue, sweep
from coralline.request import assignments, names, refusals, shorthands
from coralline.request import data as sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from stages.spec import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is wanted: validated, nothing else.

    `values` holds what the profile and the user gave, by `stage.name` or `stage.model.name`; the latter wins for its
    model unless the former came from the user. `swept` holds what has several values, by the same names; these are not
    among `values`.
    """

    models: tuple[str, ...]
    recipes: tuple[str, ...]
    profile: str = "quick"
    values: Mapping[str, Value] = field(default_factory=dict)
    externals: Mapping[str, Path] = field(default_factory=dict)
    only: str | None = None
    again_from: str | None = None
    demand_edgetpu: bool = False
    gpus: bool = False
    swept: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    def points(self) -> Iterator[tuple[sweep.Point, Request]]:
        """Yield each combination of swept values with the request that has them; without any, this request alone."""
        for point in sweep.points(self.swept):
            yield point, replace(self, values={**self.values, **point}, swept={})

    def value(self, stage: str, name: str, model: str | None) -> Value | None:
        """Return what was asked for this parameter, for steps of `model`; None leaves the default."""
        special = self.values.get(f"{stage}.{model}.{name}")
        return self.values.get(f"{stage}.{name}") if special is None else special


def make(
    *,
    model: str = "",
    recipes: str = "",
    profile: str = "quick",
    data: str | None = None,
    init: str | None = None,
    meter: str | None = None,
    meter_on: str | None = None,
    tdp: str | None = None,
    settings: Iterable[str] = (),
    on_bad_image: str | None = None,
    only: str | None = None,
    again_from: str | None = None,
    edgetpu: bool = False,
    gpus: bool = False,
    several: bool = False,
) -> Request:
    """Read the user's words; `several` lets a setting have more than one value.

    Raises:
        ProfileError: a name is unknown, a value impossible, or a file missing.
    """
    for stage in (only, again_from):
        names.one(stage, catalogue.specs(), "stage") if stage else None
    source, folder = sources.read(data)
    chosen = names.with_bases(
        names.several(recipes or "default", list(catalogue.recipes()), "recipe", names.default_recipes(only))
    )
    values = assignments.of_profile(profile)
    asked = (
        shorthands.of_options(source, on_bad_image, gpus=gpus)
        | shorthands.tdps(tdp)
        | shorthands.meter_on(meter_on, meter)
    )
    given = assignments.of_settings(settings, several=several)
    asked |= {name: found[-1] for name, found in given.items()}
    swept = sweep.swept(given) if several else {}
    models = _models(model, only, str(asked.get(sources.SOURCE, values.get(sources.SOURCE, sources.default()))))
    if sources.SOURCE not in {*asked, *values}:
        asked[sources.SOURCE] = sources.wanted_by(models)
    for point in sweep.points(swept):
        refusals.refuse_pointless(asked | point, values)
        merged = assignments.merge(values, asked | point)
        sources.refuse_missing_folder(folder, merged)
        sources.refuse_unsuited(models, merged)
        refusals.refuse_small_inputs(models, merged)
    return Request(
        models=models,
        recipes=chosen,
        profile=profile,
        values={name: value for name, value in assignments.merge(values, asked).items() if name not in swept},
        swept=swept,
        externals={
            name: refusals.existing(name, path)
            for name, path in {"data": folder, "init": init, "meter": meter}.items()
            if path is not None
        },
        only=only,
        again_from=again_from,
        demand_edgetpu=edgetpu,
        gpus=gpus,
    )


def _models(words: str, only: str | None, source: str) -> tuple[str, ...]:
    """Read the models; `all` is every one that can learn from the data, unless the stage says which it means."""
    if not words and only and names.is_modelless(only):
        return ()
    if words == "all":
        return names.all_models(only) or tuple(sources.suited(source))
    return names.several(words, list(catalogue.models()), "model")
