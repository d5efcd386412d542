"""Where the Docker daemon is and what it answers, in milliseconds: plain HTTP over its socket, without the SDK.

Reads only: containers are run through the SDK (`engines/docker.py`), images are built by the client (`builder.py`).
"""

from __future__ import annotations

import json
import os
from typing import Any

from coralline.errors import EngineError

SOCKET = "/var/run/docker.sock"
TIMEOUT_S = 30.0  # a daemon whose disk is busy answers late; one that is not there refuses at once
START = "start it (`systemctl start docker`, or `dockerd` as root), or choose `--engine local`"


def socket_path() -> str:
    """Return the path of the daemon's socket.

    Raises:
        EngineError: `DOCKER_HOST` names a daemon elsewhere: steps get folders of this host, which it does not have.
    """
    address = os.environ.get("DOCKER_HOST") or f"unix://{SOCKET}"
    if not address.startswith("unix://"):
        raise EngineError(
            f"DOCKER_HOST is {address!r}: only a daemon on this machine can be used",
            hint="unset DOCKER_HOST, set it to unix:///path/to/docker.sock, or choose `--engine local`",
        )
    return address.removeprefix("unix://")


def trouble() -> str | None:
    """Say in one line why the daemon cannot be used, or None when it answers."""
    try:
        get("/_ping")
    except EngineError as error:
        return error.message
    return None


def get(path: str) -> tuple[int, Any]:
    """Ask the daemon for `path`; return the HTTP status and the decoded body (text when it is not JSON).

    Raises:
        EngineError: nobody answers, or this user may not ask.
    """
    place = socket_path()
    try:
        answer = _ask(place, path)
    except FileNotFoundError as error:
        raise EngineError(f"no Docker daemon: {place} does not exist", hint=START) from error
    except PermissionError as error:
        raise EngineError(
            f"no permission to use the Docker daemon at {place}",
            hint="add yourself to the group that owns the socket (`docker`, usually), or choose `--engine local`",
        ) from error
    except OSError as error:
        raise EngineError(f"no Docker daemon answers at {place}: {error.strerror or error}", hint=START) from error
    return _decode(answer, place)


def image(reference: str) -> dict[str, Any] | None:
    """Return what the daemon knows of an image, or None when it does not have it."""
    status, document = get(f"/images/{reference}/json")
    return document if status == 200 else None


def image_with(label: str, value: str) -> str | None:
    """Return the id of the newest image that carries the label, or None. Images inherit the labels of their base."""
    from urllib.parse import quote

    _, found = get("/images/json?filters=" + quote(json.dumps({"label": [f"{label}={value}"]})))
    newest = max(found, key=lambda entry: entry["Created"], default=None) if isinstance(found, list) else None
    return None if newest is None else str(newest["Id"])


def _ask(place: str, path: str) -> bytes:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(place)
        # HTTP/1.0: the daemon closes the connection after its answer and does not send it in chunks.
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        pieces = []
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def _decode(answer: bytes, place: str) -> tuple[int, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise EngineError(f"what answers at {place} is not a Docker daemon", hint="check DOCKER_HOST")
    try:
        return int(words[1]), json.loads(body)
    except ValueError:
        return int(words[1]), body.decode("utf-8", "replace")
