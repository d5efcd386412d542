"""The words in which a stage says what it needs and makes: pure data, readable without the stage's libraries.

Every `stages/NAME/spec.py` holds one `SPEC` built from these classes. The host side reads it to draw the graph and
to make keys; the image side needs only what sources of data say in them. Nothing here runs, opens or imports anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional, Tuple, Union

Value = Union[str, int, float, bool, Tuple[int, ...]]


@dataclass(frozen=True)
class Parameter:
    """One thing that a user may set: `STAGE.NAME=VALUE`.

    `kind` is int, float, str, bool, choice or ints (comma-separated whole numbers). `when` limits the parameter to
    steps whose other parameters have one of the given values: elsewhere it is neither passed to the stage nor part of
    the key.
    """

    name: str
    kind: str
    default: Value
    meaning: str
    minimum: Optional[float] = None
    maximum: Optional[float] = None
    choices: Tuple[str, ...] = ()
    when: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Input:
    """What a step reads, mounted read-only at `/in/NAME`.

    Either the artifact of a stage (`stage`), one for each step of that stage that could be made (`gather`), or
    something of the user's that lies outside the store (`external`: a key of the request, such as `data`). What is
    read has the reading step's own model and recipe, where it has them, but for the axis values in `where`; where no
    stage is named, every stage that is `reported` is gathered. An external input that is not `keyed` is only mounted:
    its content is already in the key through another input.
    """

    stage: Optional[str] = None
    external: Optional[str] = None
    gather: bool = False
    keyed: bool = True
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """A file that must be there when the step ends.

    `kind`: json, csv, hdf5, npz, tflite, packed, png, html or text.
    """

    path: str
    kind: str


@dataclass(frozen=True)
class Variant:
    """One way in which a stage runs: once for each combination of the axes in `per` (model, recipe, runtime).

    `when` is matched against the step's own parameters, `fixed` sets axis parameters. `image` names a folder under
    `docker/`. `needs` names what only some hosts have: `edgetpu`, `gpu`. `recipes` limits the recipe axis to entries
    of the recipe table with that property, `networks` the model axis to models made of that, `models` to those with
    that property. `outputs` come on top of the spec's.
    """

    image: str
    per: Tuple[str, ...] = ()
    inputs: Mapping[str, Input] = field(default_factory=dict)
    when: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    needs: Optional[str] = None
    recipes: Optional[str] = None
    networks: Tuple[str, ...] = ("keras",)
    models: Optional[str] = None
    outputs: Tuple[Output, ...] = ()


@dataclass(frozen=True)
class Spec:
    """A stage: its parameters, ways to run, outputs and what it may use.

    `code` holds patterns of further files that belong to a step's code besides what `__main__.py` imports by name;
    `{model}` and the like stand for the step's parameters, with `-` read as `_`, `{task}` for what its model learns.
    `cores` is `all` or `one`; `measures` means that results belong to this host alone and that nothing else may run
    meanwhile; `resumable` gives `/partial`. An `asked` stage answers a question of its own and is drawn only when the
    request names it. A request for this stage alone has the recipes in `default_recipes`, where there are any, unless
    the user names others, and by `all` means the models in `all_models`, where there are any. The outputs of a
    `reported` stage hold a `section.json`, which the report shows without knowing the stage (`stages/section.py`).
    """

    name: str
    summary: str
    variants: Tuple[Variant, ...]
    outputs: Tuple[Output, ...]
    parameters: Tuple[Parameter, ...] = ()
    code: Tuple[str, ...] = ()
    cores: str = "one"
    measures: bool = False
    resumable: bool = False
    memory_gib: float = 4.0
    asked: bool = False
    reported: bool = False
    default_recipes: Tuple[str, ...] = ()
    all_models: Tuple[str, ...] = ()
