"""A request becomes steps and their edges, drawn from what the stages' specs declare; nothing is looked up or run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from coralline import catalogue, parameters, sweep
from coralline.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coralline.request import Request
    from stages.spec import Input, Output, Spec, Value, Variant

AXES = ("model", "recipe", "runtime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stage with concrete parameters: a node of the graph.

    `sources` maps input names to labels of steps, `gathered` those that may be missing, `externals` input names to
    names of the request's externals. `point` holds the swept parameters that can change what it makes.
    """

    label: str
    spec: Spec
    variant: Variant
    axes: Mapping[str, str]
    parameters: Mapping[str, Value]
    sources: dict[str, str] = field(default_factory=dict)
    gathered: dict[str, str] = field(default_factory=dict)
    externals: Mapping[str, Input] = field(default_factory=dict)
    point: Mapping[str, Value] = field(default_factory=dict)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What must be there when it ends."""
        return (*self.spec.outputs, *self.variant.outputs)

    @property
    def needs(self) -> tuple[str, ...]:
        """Labels of all steps whose artifacts this one reads."""
        return (*self.sources.values(), *self.gathered.values())


def draw(request: Request) -> dict[str, Step]:
    """All steps of the request by label, each after those that it reads from; points of a sweep share what they can.

    Raises:
        ProfileError: a swept parameter is one of no step.
    """
    steps = {step.label: step for point, one in request.points() for step in _at(point, _draw(one))}
    reaching = {name for step in steps.values() for name in step.point}
    for name in request.swept if steps else ():
        if name not in reaching:
            raise ProfileError(f"{name} changes nothing in this sweep", hint="no step that is asked for has it")
    return steps


def _at(point: sweep.Point, drawn: Mapping[str, Step]) -> Iterator[Step]:
    """Give each step the swept parameters that are its own or reach it through what it reads; labels say which."""
    labels: dict[str, str] = {}
    reaching: dict[str, set[str]] = {}
    for label, step in drawn.items():
        reaching[label] = {name for name in point if _has(step, name)}.union(*(reaching[need] for need in step.needs))
        own = {name: value for name, value in point.items() if name in reaching[label]}
        labels[label] = label + sweep.suffix(own)
        yield replace(
            step,
            label=labels[label],
            point=own,
            sources={name: labels[source] for name, source in step.sources.items()},
            gathered={name: labels[source] for name, source in step.gathered.items()},
        )


def _has(step: Step, dotted: str) -> bool:
    """Whether `stage.name` or `stage.model.name` is a parameter of this step."""
    stage, _, rest = dotted.partition(".")
    model, _, name = rest.rpartition(".")
    return stage == step.spec.name and name in step.parameters and model in ("", step.axes.get("model"))


def _draw(request: Request) -> dict[str, Step]:
    """Draw the steps of a request that sweeps nothing."""
    steps: dict[str, Step] = {}
    for spec in catalogue.specs().values():
        if spec.asked and spec.name not in (request.only, request.again_from):
            continue
        for variant in spec.variants:
            for axes in _combinations(request, variant):
                step = _step(request, spec, variant, axes, steps)
                if step is not None:
                    steps[step.label] = step
    return _needed_for(request.only, steps) if request.only else steps


def descendants(steps: Mapping[str, Step], stage: str) -> set[str]:
    """Labels of the steps of `stage` and of all that depend on them."""
    found: set[str] = set()
    for label, step in steps.items():
        if step.spec.name == stage or any(need in found for need in step.needs):
            found.add(label)
    return found


def _combinations(request: Request, variant: Variant) -> Iterator[dict[str, str]]:
    """Yield the axis values with which a variant runs: wanted models with the recipes that suit model and variant."""
    if variant.needs == "gpu" and not request.gpus:
        return
    if "model" not in variant.per:
        yield {}
        return
    for name in request.models:
        model = catalogue.models()[name]
        if model.network not in variant.networks or not (variant.models is None or getattr(model, variant.models)):
            continue
        for recipe in _recipes(request, variant, model.recipes):
            yield {"model": name} | ({"recipe": recipe} if recipe else {}) | dict(variant.fixed)


def _recipes(request: Request, variant: Variant, suited: tuple[str, ...] | None) -> tuple[str, ...]:
    """Recipes of a variant's steps; without that axis it has one, where a wanted recipe suits it."""
    if "recipe" in variant.fixed:
        return ("",)
    table = catalogue.recipes()
    wanted = tuple(
        name
        for name in request.recipes
        if (suited is None or name in suited) and (variant.recipes is None or getattr(table[name], variant.recipes))
    )
    if "recipe" in variant.per:
        return wanted
    return ("",) if variant.recipes is None or wanted else ()


def _step(request: Request, spec: Spec, variant: Variant, axes: dict[str, str], steps: dict[str, Step]) -> Step | None:
    """Draw one step; None when the variant is not the one that its own parameters choose."""
    values = parameters.complete(spec, axes, lambda name: request.value(spec.name, name, axes.get("model")))
    if any(values.get(name) != wanted for name, wanted in variant.when.items()):
        return None
    sources: dict[str, str] = {}
    gathered: dict[str, str] = {}
    externals: dict[str, Input] = {}
    for name, declared in variant.inputs.items():
        wanted = {**axes, **declared.where}
        if declared.external is not None:
            externals |= {name: declared} if declared.external in request.externals else {}
        elif declared.gather:
            gathered |= {step.label.replace("/", "."): step.label for step in _of(declared.stage, wanted, steps)}
        else:
            sources.update((name, step.label) for step in _of(declared.stage, wanted, steps))
    return Step(
        label="/".join((spec.name, *(axes[axis] for axis in AXES if axis in axes))),
        spec=spec,
        variant=variant,
        axes=axes,
        parameters=values,
        sources=sources,
        gathered=gathered,
        externals=externals,
    )


def _of(stage: str | None, axes: Mapping[str, str], steps: Mapping[str, Step]) -> list[Step]:
    """Return the steps of `stage`, or of all that are reported, whose axes agree with `axes` where both have them."""
    return [
        step
        for step in steps.values()
        if (step.spec.reported if stage is None else step.spec.name == stage)
        and all(axes.get(axis, value) == value for axis, value in step.axes.items())
    ]


def _needed_for(stage: str, steps: dict[str, Step]) -> dict[str, Step]:
    wanted = {label for label, step in steps.items() if step.spec.name == stage}
    for label in reversed(steps):
        if label in wanted:
            wanted.update(steps[label].needs)
    return {label: step for label, step in steps.items() if label in wanted}
