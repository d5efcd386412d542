"""Where steps run besides this machine, read from the words of `--on`: a farm, and Docker daemons of single stages.

Only words are read here: nobody is asked whether a scheduler or a daemon is there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coralline import catalogue
from coralline.errors import ProfileError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

QUEUES = ("slurm", "htcondor")
FORM = (
    "write --on dask://HOST:PORT, --on tls://HOST:PORT, --on slurm or --on htcondor for a farm, "
    "--on STAGE=ssh://USER@HOST or --on STAGE=tcp://HOST:PORT for the Docker daemon of one stage"
)
# No word begins with a dash: `ssh` would take it for an option.
HOST = r"(?P<host>[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])"
FARM = re.compile(rf"(?P<scheme>dask|tls)://{HOST}:(?P<port>[0-9]+)")
DAEMON = re.compile(rf"(?P<scheme>ssh|tcp)://(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]*)@)?{HOST}(?::(?P<port>[0-9]+))?")
LARGEST_PORT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Farm:
    """What hands out ready steps: `kind` is dask, slurm or htcondor.

    `address` is that of a Dask scheduler as its client takes it (tcp:// or tls://), empty for the others.
    """

    kind: str
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Which farm takes ready steps, if any, and the address of the Docker daemon of each stage that is placed."""

    farm: Farm | None = None
    daemons: Mapping[str, str] = field(default_factory=dict)


def parse(words: Iterable[str]) -> Placement:
    """Read every word that `--on` was given.

    Raises:
        ProfileError: a word says nothing, a stage is unknown, or a second word contradicts the first.
    """
    farms: list[str] = []
    daemons: dict[str, str] = {}
    for word in words:
        stage, equals, address = word.partition("=")
        if not equals:
            farms.append(word)
            continue
        if stage not in catalogue.specs():
            raise ProfileError(
                f"--on {word!r}: no such stage {stage!r}", hint=nearest(stage, catalogue.specs(), "stages")
            )
        if stage in daemons:
            raise ProfileError(
                f"--on places the stage {stage} twice: {daemons[stage]} and {address}", hint="leave one of the two away"
            )
        daemons[stage] = _daemon(word, address)
    if len(farms) > 1:
        raise ProfileError(f"--on names two farms: {farms[0]} and {farms[1]}", hint="leave one of the two away")
    return Placement(farm=_farm(farms[0]) if farms else None, daemons=daemons)


def parts(address: str) -> dict[str, str | None]:
    """Take the address of a daemon apart: scheme, user, host and port."""
    found = DAEMON.fullmatch(address)
    assert found is not None, address  # noqa: S101 - `parse` has read it
    return found.groupdict()


def _farm(word: str) -> Farm:
    if word in QUEUES:
        return Farm(kind=word)
    found = FARM.fullmatch(word)
    if found is None:
        hint = FORM if "://" in word else f"{nearest(word, ('dask://HOST:PORT', *QUEUES), 'farms')}; {FORM}"
        raise ProfileError(f"--on {word!r} is no place where steps run", hint=hint)
    _check_port(word, found["port"])
    scheme = "tls" if found["scheme"] == "tls" else "tcp"
    return Farm(kind="dask", address=f"{scheme}://{found['host']}:{found['port']}")


def _daemon(word: str, address: str) -> str:
    found = DAEMON.fullmatch(address)
    if found is None:
        raise ProfileError(f"--on {word!r}: {address!r} is not the address of a Docker daemon", hint=FORM)
    if found["scheme"] == "tcp" and (found["port"] is None or found["user"] is not None):
        lack = "a port" if found["port"] is None else "no user: whoever reaches it may use it"
        raise ProfileError(f"--on {word!r}: a tcp:// address has {lack}", hint=FORM)
    if found["port"] is not None:
        _check_port(word, found["port"])
    return address


def _check_port(word: str, port: str) -> None:
    if not 0 < int(port[:6]) <= LARGEST_PORT or port.startswith("0"):
        raise ProfileError(f"--on {word!r}: there is no port {port}", hint=f"a port is from 1 to {LARGEST_PORT}")
