"""The user's words become a Request, or an error that names the nearest right word."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline import catalogue, parameters, sweep
from coralline.errors import ProfileError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from stages.spec import Parameter, Value

PROFILES = catalogue.PROJECT / "profiles"
TDP = "_tdp_w"  # how the parameters end that `--tdp` sets
TDP_FORM = "write --tdp cpu=65, or --tdp cpu=65,gpu=300; without it the table's TDP counts"
METER_ON = "meter_on"  # the parameters that `--meter-on` sets


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
        _known(stage, catalogue.specs(), "stage") if stage else None
    models = () if not model and only and _is_modelless(only) else _names(model, list(catalogue.models()), "model")
    chosen = _names(recipes or "default", list(catalogue.recipes()), "recipe", _default_recipes(only))
    values = _read_profile(profile)
    asked = _shorthands(data, on_bad_image, gpus=gpus) | _tdps(tdp) | _meter_on(meter_on, meter)
    given = _read_settings(settings, several=several)
    asked |= {name: found[-1] for name, found in given.items()}
    swept = sweep.swept(given) if several else {}
    for point in sweep.points(swept):
        _refuse_pointless(asked | point, values)
        _refuse_data_without_source(data, _merge(values, asked | point))
        _refuse_small_inputs(models, _merge(values, asked | point))
    return Request(
        models=models,
        recipes=chosen,
        profile=profile,
        values={name: value for name, value in _merge(values, asked).items() if name not in swept},
        swept=swept,
        externals=_externals(data=data, init=init, meter=meter),
        only=only,
        again_from=again_from,
        demand_edgetpu=edgetpu,
        gpus=gpus,
    )


def _known(word: str, known: Iterable[str], kind: str, where: str = "") -> str:
    if word not in known:
        place = f"{where}: " if where.endswith(".toml") else ""
        raise ProfileError(f"{place}no such {kind} {word!r}", hint=nearest(word, known, kind.capitalize() + "s"))
    return word


def _names(words: str, known: list[str], kind: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
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
    return tuple(_known(word, known, kind) for word in chosen)


def _is_modelless(stage: str) -> bool:
    """Whether the stage, and so all that it needs, has nothing to do with a model."""
    variants = catalogue.specs()[stage].variants
    return all(not variant.per and not any(i.stage for i in variant.inputs.values()) for variant in variants)


def _default_recipes(only: str | None) -> tuple[str, ...]:
    """Return what the stage asks for which alone is wanted, or else the usual recipes."""
    wanted = catalogue.specs()[only].default_recipes if only else ()
    return wanted or tuple(name for name, recipe in catalogue.recipes().items() if recipe.default)


def find_parameter(dotted: str, where: str) -> Parameter:
    """Find the parameter that `stage.name` or `stage.model.name` means."""
    stage, _, rest = dotted.partition(".")
    model, _, name = rest.rpartition(".")
    spec = catalogue.specs()[_known(stage, catalogue.specs(), "stage", where)]
    if model:
        _known(model, catalogue.models(), "model", where)
    by_name = {parameter.name: parameter for parameter in spec.parameters}
    if name not in by_name:
        raise ProfileError(
            f"{where}: stage {stage} has no parameter {name!r}", hint=nearest(name, by_name, "parameters")
        )
    return by_name[name]


def _read_settings(settings: Iterable[str], *, several: bool) -> dict[str, tuple[Value, ...]]:
    """Read `stage.parameter=value`; what is given again has all values that it was given, in that order."""
    values: dict[str, tuple[Value, ...]] = {}
    for setting in settings:
        name, equals, word = setting.partition("=")
        if not equals or "." not in name:
            raise ProfileError(
                f"--set {setting!r} is not a setting", hint="write --set stage.parameter=value, such as train.epochs=6"
            )
        parameter, where = find_parameter(name, "--set"), f"--set {name}"
        read = (sweep.values if several else sweep.single)(parameter, word, where)
        values[name] = values.get(name, ()) + read
    return values


def _shorthands(data: str | None, on_bad_image: str | None, *, gpus: bool) -> dict[str, Value]:
    """Read the options that are parameters under a shorter name."""
    values: dict[str, Value] = {}
    if data is not None:
        values["dataset.source"] = "folder"
    if on_bad_image is not None:
        values["dataset.on_bad_image"] = parameters.from_word(
            find_parameter("dataset.on_bad_image", ""), on_bad_image, "--on-bad-image"
        )
    if gpus:
        values |= {dotted: "gpu" for dotted, parameter in _everywhere() if parameter.name == "device"}
    return values


def _tdps(words: str | None) -> dict[str, Value]:
    """Read `DEVICE=WATTS`, several separated by commas, for every stage that wants to know."""
    found = [(dotted, one) for dotted, one in _everywhere() if one.name.endswith(TDP)]
    wanted = [(dotted, one.name.removesuffix(TDP), one) for dotted, one in found]
    values: dict[str, Value] = {}
    for word in [] if words is None else words.split(","):
        device, equals, watts = (part.strip() for part in word.partition("="))
        if not equals:
            raise ProfileError(f"--tdp {word!r} is not DEVICE=WATTS", hint=TDP_FORM)
        _known(device, dict.fromkeys(known for _, known, _ in wanted), "device")
        told = {
            dotted: parameters.from_word(parameter, watts, f"--tdp {device}")
            for dotted, known, parameter in wanted
            if known == device
        }
        if told.keys() & values or not all(told.values()):
            twice = "is given twice" if told.keys() & values else "= 0 is no TDP"
            raise ProfileError(f"--tdp {device} {twice}", hint=TDP_FORM)
        values |= told
    return values


def _meter_on(word: str | None, meter: str | None) -> dict[str, Value]:
    """Read what the power meter feeds, for every stage that reads its file."""
    if word is None:
        return {}
    if meter is None:
        raise ProfileError("--meter-on means nothing without --meter", hint="name the meter's file with --meter FILE")
    return {
        dotted: parameters.from_word(parameter, word, "--meter-on")
        for dotted, parameter in _everywhere()
        if parameter.name == METER_ON
    }


def _everywhere() -> Iterable[tuple[str, Parameter]]:
    """All parameters of all stages, as `stage.name`."""
    for spec in catalogue.specs().values():
        for parameter in spec.parameters:
            yield f"{spec.name}.{parameter.name}", parameter


def _read_profile(name: str) -> dict[str, Value]:
    path = Path(name) if name.endswith(".toml") else PROFILES / f"{name}.toml"
    if not path.is_file():
        known = [found.stem for found in PROFILES.glob("*.toml")]
        raise ProfileError(
            f"no such profile {name!r}", hint=nearest(name, known, "profiles") + ", or a path to a .toml file"
        )
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileError(f"{path} cannot be read: {error.strerror}", hint="make it readable for you") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(
            f"{path} is not TOML: {error}", hint="mend the line; profiles/quick.toml shows the form"
        ) from error
    return {
        dotted: parameters.checked(find_parameter(dotted, str(path)), value, f"{path}: {dotted}")
        for dotted, value in _flat(document)
    }


def _flat(document: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _merge(profile: dict[str, Value], asked: dict[str, Value]) -> dict[str, Value]:
    """Let what the user asked win, also over the profile's values for single models."""
    general = {tuple(name.split(".")) for name in asked if name.count(".") == 1}
    kept = {name: value for name, value in profile.items() if not _overridden(name, general)}
    return kept | asked


def _overridden(name: str, general: set[tuple[str, ...]]) -> bool:
    parts = name.split(".")
    return (parts[0], parts[-1]) in general


def _refuse_pointless(asked: dict[str, Value], profile: dict[str, Value]) -> None:
    """Refuse a setting that cannot change anything beside the others: it is a mistake worth saying."""
    for dotted in asked:
        parameter, stage = find_parameter(dotted, ""), dotted.partition(".")[0]
        for other, allowed in parameter.when.items():
            if other in ("model", "recipe", "runtime"):
                continue
            full = f"{stage}.{other}"
            value = asked.get(full, profile.get(full, find_parameter(full, "").default))
            if value not in allowed:
                raise ProfileError(
                    f"{dotted} means nothing while {full} is {value!r}",
                    hint=f"it needs {full} to be {' or '.join(allowed)}",
                )


def _refuse_data_without_source(data: str | None, values: Mapping[str, Value]) -> None:
    is_folder = values.get("dataset.source", "simulate") == "folder"
    if is_folder and data is None:
        raise ProfileError("dataset.source is 'folder', but no folder is given", hint="name it with --data FOLDER")
    if data is not None and not is_folder:
        raise ProfileError("--data is given, but dataset.source is 'simulate'", hint="leave one of the two away")


def _refuse_small_inputs(models: tuple[str, ...], values: Mapping[str, Value]) -> None:
    for name in models:
        size = values.get(f"train.{name}.input_size", values.get("train.input_size", 0))
        least = catalogue.models()[name].smallest_input
        if isinstance(size, int) and 0 < size < least:
            raise ProfileError(
                f"train.input_size = {size} is too small for {name}", hint=f"its layers need at least {least} pixels"
            )


def _externals(**given: str | None) -> dict[str, Path]:
    return {name: _existing(name, path) for name, path in given.items() if path is not None}


def _existing(name: str, word: str) -> Path:
    hint = "give the path of an existing folder or file"
    try:
        path = Path(word).expanduser().resolve()
        there = bool(word) and path.exists()
    except (OSError, RuntimeError) as error:
        raise ProfileError(f"--{name}: {word} cannot be looked at: {error}", hint=hint) from error
    if not there:
        raise ProfileError(f"--{name}: {word!r} does not exist", hint=hint)
    if name != "data" and path.is_dir():  # said now, and not when the step that reads it is reached
        raise ProfileError(f"--{name}: {word!r} is a folder", hint="give the path of one file")
    return path
