"""What lies on another machine's daemon with the label of a guest: listing it, and taking it away."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import APIClient

GUEST_LABEL = "coralline.guest"  # not `coralline.owner`: engines of that machine itself judge theirs by its processes
ROLE_LABEL = "coralline.role"
SEAL = "seal"


def parsed_time(text: str) -> datetime:
    """Read a time as daemons write it: RFC 3339 with up to nine digits of a second, of which six are kept."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))


def sealed(volumes: list[dict[str, Any]]) -> set[str]:
    """Return the names of the volumes that have a seal, and of the seals."""
    names = {one["Name"] for one in volumes}
    seals = {name for name in names if name.endswith(f".{SEAL}") and name.removesuffix(f".{SEAL}") in names}
    return seals | {name.removesuffix(f".{SEAL}") for name in seals}


def age_s(volume: dict[str, Any], now: datetime) -> float:
    """Return how long ago a volume came to be."""
    return (now - parsed_time(volume["CreatedAt"])).total_seconds()


def listed(api: APIClient) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return all containers and all volumes of guests."""
    filters = {"label": GUEST_LABEL}
    return api.containers(all=True, filters=filters), api.volumes(filters=filters)["Volumes"] or []


def remove(api: APIClient, containers: list[dict[str, Any]], volumes: list[dict[str, Any]]) -> list[str]:
    """Remove them, and return what they were kept for."""
    from docker.errors import APIError

    for found in containers:
        with contextlib.suppress(APIError):  # it is gone, or on its way
            api.remove_container(found["Id"], force=True, v=True)
    for found in volumes:
        with contextlib.suppress(APIError):  # still in use, or somebody else sweeps too
            api.remove_volume(found["Name"], force=True)
    return [one["Labels"].get(ROLE_LABEL, "?") for one in (*containers, *volumes)]
