"""The line to the Docker daemon of another machine: opened when it is needed, opened again when it was lost."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline import placement
from coralline.engines.remote.tunnel import Tunnel
from coralline.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.tls import TLSConfig

    from docker import APIClient

CONNECT_S = 15
ANSWER_S = 600  # an image that is unpacked onto a memory card takes minutes
OLDEST_API = (1, 40)
OLDEST_DOCKER = "19.03"
FULL = (errno.ENOSPC, errno.EDQUOT)


class Wire:
    """One line at a time to the daemon at `address` (ssh:// or tcp://); safe to use from several threads."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._tunnel: Tunnel | None = None
        self._api: APIClient | None = None
        self._about: dict[str, Any] = {}
        self._lock = threading.RLock()

    @property
    def api(self) -> APIClient:
        """The daemon's interface; a new one after the line was lost.

        Raises:
            EngineError: there is no way there: why, and what to do.
        """
        with self._lock:
            if self._tunnel is not None and not self._tunnel.is_open:
                self.close()
            if self._api is None:
                self._api = self._connected()
            return self._api

    def about(self) -> dict[str, Any]:
        """Return what the daemon says of itself and its machine, asked once for each line."""
        with self._lock, self.trouble():
            api = self.api
            if not self._about:
                self._about = api.info()
            return self._about

    def holds(self) -> bool:
        """Whether the line is open, as far as can be told without asking the other side."""
        with self._lock:
            return self._api is not None and (self._tunnel is None or self._tunnel.is_open)

    def socket(self) -> Path:
        """Return the socket of this machine behind which the daemon is; only an ssh:// address has one."""
        with self._lock:
            if not self.holds():
                self.about()
            if self._tunnel is None:
                raise EngineError(f"{self.address} has no socket here", hint="use an ssh:// address")
            return self._tunnel.socket

    def close(self) -> None:
        """Close the line: all that was attached through it loses its input."""
        with self._lock:
            if self._api is not None:
                self._api.close()
            if self._tunnel is not None:
                self._tunnel.close()
            self._api, self._tunnel, self._about = None, None, {}

    @contextlib.contextmanager
    def trouble(self) -> Iterator[None]:
        """Turn what the SDK raises into an EngineError that names the daemon; trouble with files here stays itself."""
        import requests
        from docker.errors import APIError, DockerException

        try:
            yield
        except APIError as error:
            raise EngineError(
                f"the Docker daemon at {self.address} refused: {error.explanation or error}", hint="see its log there"
            ) from error
        except (DockerException, requests.RequestException, OSError) as error:
            if isinstance(error, OSError) and (error.filename is not None or error.errno in FULL):
                raise
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> EngineError:
        """Say that the line is gone, and let the next use open a new one."""
        with self._lock:
            was_open = bool(self._about)
            told = self._tunnel.trouble() if self._tunnel is not None else _tcp_trouble(self.address, error)
            self.close()
        if not was_open:
            return told
        return EngineError(
            f"the line to the Docker daemon at {self.address} was lost: {told.message}",
            hint="its step ends itself there; the same command goes on",
        )

    def _connected(self) -> APIClient:
        from docker.errors import DockerException

        from docker import APIClient

        with self.trouble():
            if self.address.startswith("ssh://"):
                self._tunnel = Tunnel(self.address)
                words: dict[str, Any] = {"base_url": f"unix://{self._tunnel.socket}", "timeout": ANSWER_S}
            else:
                words = {"base_url": self.address, "timeout": (CONNECT_S, ANSWER_S), "tls": _certificates() or False}
            try:
                api = APIClient(version="auto", **words)
            except DockerException as error:
                if "version" in str(error) and "too" in str(error):
                    raise self._too_old(str(error)) from error
                raise
        if _version(api.api_version) < OLDEST_API:
            raise self._too_old(f"its API is {api.api_version}")
        return api

    def _too_old(self, what: str) -> EngineError:
        return EngineError(
            f"the Docker daemon at {self.address} is too old: {what}", hint=f"Docker {OLDEST_DOCKER} or later is needed"
        )


def _certificates() -> TLSConfig | None:
    """Return the certificates that Docker's own client would use (DOCKER_TLS_VERIFY, DOCKER_CERT_PATH), or None."""
    from docker.errors import TLSParameterError
    from docker.tls import TLSConfig

    if not os.environ.get("DOCKER_TLS_VERIFY"):
        return None
    folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    try:
        pair = (str(folder / "cert.pem"), str(folder / "key.pem"))
        return TLSConfig(client_cert=pair, ca_cert=str(folder / "ca.pem"), verify=True)
    except TLSParameterError as error:
        raise EngineError(
            f"DOCKER_TLS_VERIFY is set, but {folder} lacks cert.pem, key.pem or ca.pem",
            hint="set DOCKER_CERT_PATH to the folder that has them, or unset DOCKER_TLS_VERIFY",
        ) from error


def _tcp_trouble(address: str, error: Exception) -> EngineError:
    host, port = (placement.parts(address)[name] for name in ("host", "port"))
    said = re.sub(r"\s+", " ", str(error))
    for pattern, reason in (
        (r"Connection refused", f"nobody listens on port {port}"),
        (r"Name or service not known|resolution|NameResolution", f"no machine {host!r} is known"),
        (r"timed out|No route|unreachable|Timeout", "it does not answer"),
        (r"HTTP request to an HTTPS server|CERTIFICATE|certificate", "it wants TLS with certificates of its own"),
        (r"SSL|wrong version number", "it does not speak TLS: unset DOCKER_TLS_VERIFY"),
    ):
        if re.search(pattern, said):
            return EngineError(f"no Docker daemon at {address}: {reason}", hint=_TCP_HINT.format(address=address))
    return EngineError(f"no Docker daemon at {address}: {said[:300]}", hint=_TCP_HINT.format(address=address))


_TCP_HINT = (
    "try by hand: docker -H {address} version; with TLS set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH; "
    "an ssh:// address needs no open port"
)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))
