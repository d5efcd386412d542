"""Which data networks learn from: named or given by the user, or else what the models themselves want."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coralline import catalogue
from coralline.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stages.spec import Value

SOURCE = "dataset.source"
FOLDER = "folder"  # the source that looks at what is the user's own


def read(word: str | None) -> tuple[str | None, str | None]:
    """Read `--data`: a source's name, and the path when it is that of a folder or zip file. `./NAME` is a path."""
    if word is None or word in named():
        return word, None
    return FOLDER, word


def named() -> list[str]:
    """All sources that make their data themselves, and so are chosen by name."""
    return [name for name, source in catalogue.sources().items() if not source.inputs]


def suited(source: str) -> list[str]:
    """All models that can learn from a source."""
    tasks = catalogue.sources()[source].tasks
    return [name for name, model in catalogue.models().items() if model.task in tasks]


def default() -> str:
    """Return the source that counts when neither the user nor a model names one."""
    return next(str(one.default) for one in catalogue.specs()["dataset"].parameters if one.name == "source")


def wanted_by(models: tuple[str, ...]) -> str:
    """Return the source that the models learn from unless the user names another.

    Raises:
        ProfileError: they want different ones.
    """
    wanted = {catalogue.models()[name].source: name for name in models}
    if len(wanted) > 1:
        told = ", ".join(f"{name} from {source!r}" for source, name in sorted(wanted.items()))
        raise ProfileError(f"these models learn from different data: {told}", hint="ask for them one after the other")
    return next(iter(wanted), default())


def refuse_missing_folder(folder: str | None, values: Mapping[str, Value]) -> None:
    """Refuse a folder beside a source that looks at none, and such a source without its folder."""
    source = values.get(SOURCE, default())
    if folder is None and source == FOLDER:
        raise ProfileError(f"{SOURCE} is {source!r}, but no folder is given", hint="name it with --data FOLDER")
    if folder is not None and source != FOLDER:
        raise ProfileError(f"--data is given, but {SOURCE} is {source!r}", hint="leave one of the two away")


def refuse_unsuited(models: tuple[str, ...], values: Mapping[str, Value]) -> None:
    """Refuse a model that the data holds no truth for."""
    source = str(values.get(SOURCE, default()))
    fitting = suited(source)
    for name in models:
        if name not in fitting:
            task = catalogue.models()[name].task
            others = [one for one, other in catalogue.sources().items() if task in other.tasks]
            hint = f"it learns {task}, from {' or '.join(others)}; these models suit the data: {', '.join(fitting)}"
            raise ProfileError(f"{name} cannot learn from {source!r}", hint=hint)
