"""Small stages, and an engine that makes their outputs in this process: real, only small."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from coralline import catalogue
from coralline.engines.base import Job, OnEvent, Outcome
from coralline.graph import Step
from stages.spec import Input, Output, Parameter, Spec, Variant

if TYPE_CHECKING:
    import threading
    from pathlib import Path

Behaviour = Callable[[Job], Outcome]


def write_record(job: Job, numbers: list[dict[str, Any]] | None = None) -> None:
    """Leave the record that every step leaves."""
    (job.out / "record.json").write_text(json.dumps({"numbers": numbers or [], "facts": {}}))


def declared(job: Job) -> list[Output]:
    """List what the step must leave: its stage's outputs and those of the way in which it runs."""
    spec = catalogue.specs()[job.stage]
    recipe = catalogue.recipes().get(str(job.parameters.get("recipe")))
    ways = [
        one
        for one in spec.variants
        if {**one.when, **one.fixed}.items() <= job.parameters.items()
        and (recipe is None or one.recipes is None or getattr(recipe, one.recipes))
    ]
    return list(dict.fromkeys((*spec.outputs, *(output for way in ways for output in way.outputs))))


def make_outputs(job: Job) -> Outcome:
    """Write an output that depends on the parameters and inputs alone."""
    content = {"parameters": job.parameters, "inputs": {n: (p / "out.json").read_text() for n, p in job.inputs.items()}}
    (job.out / "out.json").write_text(json.dumps(content, sort_keys=True))
    write_record(job, [{"metric": "answer", "value": 42.0, "unit": "1"}])
    return Outcome(exit_code=0)


@dataclass
class FakeEngine:
    """Runs steps as functions; remembers what it ran. `behaviours` replaces what a label does."""

    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    blocked_images: dict[str, str] = field(default_factory=dict)
    recipes: dict[str, dict[str, Any]] = field(default_factory=dict)
    name: str = "fake"

    def available(self) -> str | None:
        return None

    def recipe(self, image: str) -> dict[str, Any]:
        return self.recipes.get(image, {"lock": "0" * 64})

    def blocked(self, image: str) -> str | None:
        return self.blocked_images.get(image)

    def prepare(self, image: str, progress: OnEvent) -> None:
        progress({"event": "progress", "message": image})

    def identity(self, image: str) -> dict[str, str]:
        return {"image": image}

    def run(self, job: Job, on_event: OnEvent, _cancelled: threading.Event) -> Outcome:
        self.ran.append(job.label)
        on_event({"event": "progress", "done": 1, "total": 2, "unit": "thing", "message": ""})
        job.log.parent.mkdir(parents=True, exist_ok=True)
        job.log.write_text("first line\nlast line\n")
        return self.behaviours.get(job.label, make_outputs)(job)

    def replay(self, job: Job) -> str:
        return f"replay {job.label}"


def spec(name: str, **options: Any) -> Spec:
    """A stage with one JSON output and one parameter."""
    inputs = {source: Input(stage=source) for source in options.pop("after", ())}
    inputs |= {source: Input(stage=source, gather=True) for source in options.pop("gathers", ())}
    variant = Variant("image-" + name, inputs=inputs, needs=options.pop("needs", None))
    return Spec(
        name=name,
        summary=name,
        variants=(variant,),
        outputs=(Output("out.json", "json"),),
        parameters=(Parameter("size", "int", 1, "size", minimum=0, maximum=9),),
        **options,
    )


def step(of: Spec, **parameters: Any) -> Step:
    """The one step of a small stage."""
    inputs = of.variants[0].inputs
    return Step(
        label=of.name,
        spec=of,
        variant=of.variants[0],
        axes={},
        parameters={"size": 1} | parameters,
        sources={name: name for name, i in inputs.items() if not i.gather},
        gathered={name: name for name, i in inputs.items() if i.gather},
    )


def project(root: Path, *names: str) -> Path:
    """A project folder whose stages have one file each."""
    for name in names:
        (root / "stages" / name).mkdir(parents=True, exist_ok=True)
        (root / "stages" / name / "__main__.py").write_text(f"# stage {name}\n")
    return root
