"""Values by `stage.parameter`: those of a profile, those of --set, and which of two wins."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline import catalogue, parameters, sweep
from coralline.errors import ProfileError, nearest
from coralline.request import names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stages.spec import Value

PROFILES = catalogue.PROJECT / "profiles"


def of_settings(settings: Iterable[str], *, several: bool) -> dict[str, tuple[Value, ...]]:
    """Read `stage.parameter=value`; what is given again has all values that it was given, in that order."""
    values: dict[str, tuple[Value, ...]] = {}
    for setting in settings:
        name, equals, word = setting.partition("=")
        if not equals or "." not in name:
            raise ProfileError(
                f"--set {setting!r} is not a setting", hint="write --set stage.parameter=value, such as train.epochs=6"
            )
        parameter, where = names.find_parameter(name, "--set"), f"--set {name}"
        read = (sweep.values if several else sweep.single)(parameter, word, where)
        values[name] = values.get(name, ()) + read
    return values


def of_profile(name: str) -> dict[str, Value]:
    """Read the values of a profile that is named, or of a file of one's own."""
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
        dotted: parameters.checked(names.find_parameter(dotted, str(path)), value, f"{path}: {dotted}")
        for dotted, value in _flat(document)
    }


def _flat(document: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def merge(profile: dict[str, Value], asked: dict[str, Value]) -> dict[str, Value]:
    """Let what the user asked win, also over the profile's values for single models."""
    general = {tuple(name.split(".")) for name in asked if name.count(".") == 1}
    kept = {name: value for name, value in profile.items() if not _overridden(name, general)}
    return kept | asked


def _overridden(name: str, general: set[tuple[str, ...]]) -> bool:
    parts = name.split(".")
    return (parts[0], parts[-1]) in general
