"""Standard input, output and error of a container, over one connection that the daemon lets go of when we die.

The connection holds the container's standard input open; nothing is ever written to it. When this process ends,
however it ends, the kernel closes the connection, the daemon closes the input, and the step ends itself.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from coralline.errors import EngineError

if TYPE_CHECKING:
    import threading

    from coralline.engines.base import Listener
    from docker import APIClient

POLL_S = 0.1  # how soon a cancelled step is noticed
HEADER = struct.Struct(">BxxxL")  # Docker Engine API, "Attach to a container": stream, three zeros, length
STDERR = 2
LARGEST_FRAME = 1 << 24  # bytes; daemons send some thousands at a time, and all of a frame is held in memory


class Attachment:
    """One client's hold on a container; to be made before the container starts, so that nothing is missed."""

    def __init__(self, api: APIClient, container: str) -> None:
        streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        self._file = api.attach_socket(container, params=streams)
        self._socket: socket.socket = getattr(self._file, "_sock", self._file)
        self._socket.settimeout(POLL_S)
        if self._socket.family != socket.AF_UNIX:  # else the loss of another machine would never be noticed
            _keep_alive(self._socket)
        self._rest = b""

    def listen(self, listener: Listener, cancelled: threading.Event) -> None:
        """Hand on what the container prints until its output ends or `cancelled` is set."""
        while not cancelled.is_set():
            try:
                chunk = self._socket.recv(65536)
            except TimeoutError:
                continue
            except OSError:  # the daemon went down; whoever asks for the exit code is told
                return
            if not chunk:
                return
            self._rest = demultiplex(self._rest + chunk, listener)

    def close(self) -> None:
        """Let go: the container's standard input closes."""
        self._file.close()
        self._socket.close()


def _keep_alive(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4)):
        line.setsockopt(socket.IPPROTO_TCP, option, value)


def demultiplex(data: bytes, listener: Listener) -> bytes:
    """Hand the complete frames in `data` to the listener; return what is left over.

    Raises:
        EngineError: a frame is larger than any that a daemon sends.
    """
    start = 0
    while len(data) - start >= HEADER.size:
        stream, length = HEADER.unpack_from(data, start)
        if length > LARGEST_FRAME:
            raise EngineError("what the Docker daemon sends is not the output of a container", hint="see its log")
        end = start + HEADER.size + length
        if end > len(data):
            break
        body = data[start + HEADER.size : end]
        (listener.stderr if stream == STDERR else listener.stdout)(body)
        start = end
    return data[start:]
