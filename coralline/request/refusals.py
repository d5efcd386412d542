"""What is well written and still means nothing: settings without effect, data without a source, missing files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from coralline import catalogue
from coralline.errors import ProfileError
from coralline.request import names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stages.spec import Value


def refuse_pointless(asked: dict[str, Value], profile: dict[str, Value]) -> None:
    """Refuse a setting that cannot change anything beside the others: it is a mistake worth saying."""
    for dotted in asked:
        parameter, stage = names.find_parameter(dotted, ""), dotted.partition(".")[0]
        for other, allowed in parameter.when.items():
            if other in ("model", "recipe", "runtime"):
                continue
            full = f"{stage}.{other}"
            value = asked.get(full, profile.get(full, names.find_parameter(full, "").default))
            if value not in allowed:
                raise ProfileError(
                    f"{dotted} means nothing while {full} is {value!r}",
                    hint=f"it needs {full} to be {' or '.join(allowed)}",
                )


def refuse_small_inputs(models: tuple[str, ...], values: Mapping[str, Value]) -> None:
    """Refuse images that a model's layers would shrink to nothing."""
    for name in models:
        size = values.get(f"train.{name}.input_size", values.get("train.input_size", 0))
        least = catalogue.models()[name].smallest_input
        if isinstance(size, int) and 0 < size < least:
            raise ProfileError(
                f"train.input_size = {size} is too small for {name}", hint=f"its layers need at least {least} pixels"
            )


def existing(name: str, word: str) -> Path:
    """Return the path of what an option names, if it is there."""
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
