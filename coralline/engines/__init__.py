"""Where steps run: Docker containers, or local environments made from the same locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coralline.catalogue import PROJECT
from coralline.errors import EngineError, ProfileError, nearest
from coralline.notices import Kind, Notice, Notify

if TYPE_CHECKING:
    from coralline.engines.base import Engine

ENGINES = ("auto", "docker", "local")
HOME = (
    PROJECT / ".coralline"
)  # what is made for this checkout and can be made again: environments, what is known of images


def choose(name: str, notify: Notify) -> Engine:
    """Return the engine of that name; `auto` takes Docker when a daemon answers, and says which it took.

    Raises:
        ProfileError: no engine of that name.
        EngineError: the wanted engine cannot be used here.
    """
    if name not in ENGINES:
        raise ProfileError(f"no such engine {name!r}", hint=nearest(name, ENGINES, "engines"))
    engine = _named("docker" if name == "auto" else name)
    reason = engine.available()
    if reason is not None and name == "auto":
        notify(Notice(kind=Kind.NOTE, text=f"engine local: {reason}"))
        engine = _named("local")
        reason = engine.available()
    elif reason is None:
        notify(Notice(kind=Kind.NOTE, text=f"engine {engine.name}"))
    if reason is not None:
        other = "local" if engine.name == "docker" else "docker"
        raise EngineError(
            f"the {engine.name} engine cannot be used: {reason}", hint=f"mend that, or use --engine {other}"
        )
    return engine


def _named(name: str) -> Engine:
    if name == "docker":
        from coralline.engines.docker import DockerEngine

        return DockerEngine(PROJECT, HOME)
    from coralline.engines.local import LocalEngine

    return LocalEngine(PROJECT, HOME / "environments")
