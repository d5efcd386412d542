"""Where steps run: Docker containers, or local environments made from the same locks."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from coralline.catalogue import PROJECT
from coralline.errors import EngineError, ProfileError, nearest
from coralline.notices import Kind, Notice, Notify

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coralline.engines.base import Engine, Outpost

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


@contextlib.contextmanager
def outposts(daemons: Mapping[str, str], notify: Notify) -> Iterator[dict[str, Outpost]]:
    """Give the engine of each stage that is placed on another machine; on leaving, nothing of ours stays there.

    Raises:
        EngineError: a daemon cannot be used: why, and what to do.
    """
    if not daemons:
        yield {}
        return
    from coralline.engines.remote import RemoteEngine

    engines = {address: RemoteEngine(PROJECT, HOME, address) for address in dict.fromkeys(daemons.values())}
    with contextlib.ExitStack() as stack:
        for engine in engines.values():
            stack.callback(engine.close)
            engine.check()
        for stage, address in daemons.items():
            notify(Notice(kind=Kind.NOTE, text=f"stage {stage} on {address}"))
        yield {stage: engines[address] for stage, address in daemons.items()}


def _named(name: str) -> Engine:
    if name == "docker":
        from coralline.engines.docker import DockerEngine

        return DockerEngine(PROJECT, HOME)
    from coralline.engines.local import LocalEngine

    return LocalEngine(PROJECT, HOME / "environments")
