from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from coralline import daemon
from coralline.errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path

Answer = Callable[[bytes], bytes]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], None]]:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    place = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{place}")

    def start(answer: Answer) -> None:
        server.bind(str(place))
        server.listen()
        threading.Thread(target=attend, args=(answer,), daemon=True).start()

    def attend(answer: Answer) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.sendall(answer(client.recv(65536)))

    yield start
    server.shutdown(socket.SHUT_RDWR) if place.exists() else None
    server.close()


def ok(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.0 " + status + b"\r\nContent-Type: application/json\r\n\r\n" + body


def test_a_daemon_that_answers_is_no_trouble(serve: Callable[[Answer], None]) -> None:
    asked: list[bytes] = []
    serve(lambda request: asked.append(request) or ok(b"OK"))  # type: ignore[func-returns-value]
    assert daemon.trouble() is None
    assert asked[0].startswith(b"GET /_ping HTTP/1.0\r\n")


def test_an_image_is_what_the_daemon_says_or_none(serve: Callable[[Answer], None]) -> None:
    serve(lambda request: ok(b'{"Id": "x"}') if b"/images/a/json" in request else ok(b"{}", b"404 Not Found"))
    assert daemon.image("a") == {"Id": "x"}
    assert daemon.image("b") is None


def test_the_newest_image_with_a_label_is_found(serve: Callable[[Answer], None]) -> None:
    listed = b'[{"Id": "old", "Created": 1}, {"Id": "new", "Created": 3}, {"Id": "older", "Created": 0}]'
    asked: list[str] = []
    serve(lambda request: asked.append(unquote(request.decode())) or ok(listed))  # type: ignore[func-returns-value]
    assert daemon.image_with("base", "1") == "new"
    assert '{"label": ["base=1"]}' in asked[0]


@pytest.mark.parametrize("garbage", [b"", b"SSH-2.0\r\n", b"HTTP/1.1", b"HTTP/1.1 abc\r\n\r\n"])
def test_something_else_on_the_socket_is_named(serve: Callable[[Answer], None], garbage: bytes) -> None:
    serve(lambda _: garbage)
    assert "not a Docker daemon" in str(daemon.trouble())


def test_no_daemon_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert daemon.trouble() == f"no Docker daemon: {tmp_path}/none.sock does not exist"


def test_a_dead_socket_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(str(tmp_path / "left.sock"))
    left.close()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/left.sock")
    assert "Connection refused" in str(daemon.trouble())


@pytest.mark.parametrize("address", ["tcp://host:2375", "ssh://user@host"])
def test_a_daemon_elsewhere_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(EngineError, match="only a daemon on this machine") as caught:
        daemon.socket_path()
    assert "--engine local" in caught.value.hint
