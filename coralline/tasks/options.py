"""Options that several tasks have, and tasks with all options of a request."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from invoke.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Callable

REQUEST: dict[str, tuple[Any, str]] = {
    "model": ("", "model, several separated by commas, or all"),
    "recipes": (
        "",
        "recipes, several separated by commas, or all (default: the usual ones; for paper, those of its tables)",
    ),
    "profile": ("quick", "quick, bench, paper, or the path of a .toml file"),
    "data": (
        None,
        "folder or zip of images, <split>/<class>/*.png or .jpg, or a simulated source by name, not the model's own",
    ),
    "init": (None, "start training from these weights (.h5, .keras, .weights.h5)"),
    "meter": (None, "a power meter's log of the run (CSV: time_s,power_w), for energy"),
    "meter_on": (None, "what the meter feeds: machine (default) or edgetpu, the stick alone"),
    "tdp": (None, "DEVICE=WATTS for the energy proxy, such as cpu=65,gpu=300"),
    "set_": (None, "stage.parameter=value; may be given several times"),
    "on_bad_image": (None, "fail or skip, for --data"),
    "only": (None, "make this stage and what it needs, nothing after it"),
    "from_": (None, "make this stage and all after it again"),
    "engine": ("auto", "docker, local or auto"),
    "on": (None, "a farm (dask://HOST:PORT, slurm, htcondor), or STAGE=ssh://USER@HOST: a Docker daemon for a stage"),
    "jobs": ("", "steps at once (default: one for each core)"),
    "edgetpu": (False, "fail when there is no Edge TPU instead of going on without it"),
    "gpus": (False, "train and measure on the GPU"),
    "debug": (False, "show tracebacks"),
}
ALSO = {"model": "models", "recipes": "recipe"}  # names by which an option goes as well
HELP = {name: text for name, (_, text) in REQUEST.items()}
JSON = {"json": "print one JSON object"}
FILE = {"file": "a .tflite file"}


class Asking(Task[Any]):
    """A task with the options of a request, some of which go by two names."""

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        """Say how an argument is read."""
        told = super().arg_opts(name, default, taken_names)
        return told | {"names": [*told["names"], *filter(None, [ALSO.get(name)])]}


def with_request(*left_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a task the options of a request, some left out: its `words` become one option each."""

    def give(body: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(body).parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        words = [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
            for name, (default, _) in REQUEST.items()
            if name not in left_out
        ]
        body.__signature__ = inspect.Signature([own[0], *words, *own[1:]])  # type: ignore[attr-defined]
        return body

    return give
