"""The Docker daemon of another machine, reached through the system's `ssh` as if its socket were here.

The SDK's own ssh needs a library of its own (paramiko); the system's client knows the user's keys, agent, jump hosts
and ~/.ssh/config. The client ends with this process, however that ends: its far end reads from us until we are gone.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from coralline import daemon, placement
from coralline.errors import EngineError

CONNECT_S = 15
KEEPALIVE_S = 15  # a line that is silent for four of these is taken for lost
OPTIONS = {
    "BatchMode": "yes",  # nobody is there to type a password
    "ConnectTimeout": str(CONNECT_S),
    "ControlPath": "none",  # a shared connection would outlive us
    "ExitOnForwardFailure": "yes",
    "ServerAliveCountMax": "4",
    "ServerAliveInterval": str(KEEPALIVE_S),
    "StreamLocalBindMask": "0177",
}
READY = b"coralline\n"
REASONS = (
    (r"Permission denied \(|Too many authentication failures", "the key is not accepted", "ssh-copy-id {target}"),
    (r"Host key verification failed", "its host key is not known, or has changed", "look at it once by hand: {ssh}"),
    (
        r"open failed: connect failed: Permission denied",
        "that user may not use Docker there",
        "there: add it to `docker`",
    ),
    (r"open failed: connect failed: No such file", "no Docker daemon runs there", "there: systemctl start docker"),
    (r"open failed: .*refused", "no Docker daemon runs there", "there: systemctl start docker"),
    (
        r"Could not request (local|remote|dynamic) forwarding",
        "a forwarding that your ssh configuration has for it cannot be made here",
        "end what holds its port, or take it out of ~/.ssh/config",
    ),
    (
        r"administratively prohibited|forwarding",
        "its ssh server forwards no sockets",
        "there: AllowStreamLocalForwarding yes",
    ),
    (r"Could not resolve|Name or service not known", "no machine of that name is known", "check the name"),
    (r"refused", "no ssh server answers there", "check address and port"),
    (
        r"timed out|No route|unreachable|lost connection|closed by|broken",
        "it does not answer",
        "check that it is on: {ssh}",
    ),
)


class Tunnel:
    """One `ssh` that forwards a socket of ours to the daemon's on the other machine."""

    def __init__(self, address: str) -> None:
        """Open it.

        Raises:
            EngineError: there is no ssh client, or no way to the other machine: why, and what to do.
        """
        if shutil.which("ssh") is None:
            raise EngineError("there is no ssh client", hint="install one (Debian: openssh-client)")
        self._address = address
        # Not TMPDIR: a socket's path has 107 bytes at most, and ssh reads `:` and `%` in it as its own.
        self._folder = Path(tempfile.mkdtemp(prefix="coralline-", dir="/tmp"))
        self.socket = self._folder / "docker.sock"
        self._said = self._folder / "ssh.log"
        with self._said.open("wb") as log:
            self._process = subprocess.Popen(
                command(address, self.socket),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C must not cut the line before the other side is told
            )
        if not self._answers():
            told = self.trouble()
            self.close()
            raise told

    @property
    def is_open(self) -> bool:
        """Whether the line still holds."""
        return self._process.poll() is None

    def trouble(self) -> EngineError:
        """Say from what ssh said why the other daemon does not answer."""
        said = self._said.read_text(encoding="utf-8", errors="replace") if self._said.exists() else ""
        return explained(self._address, said)

    def close(self) -> None:
        """End the client; a step whose input came through it ends itself."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        """Wait for the word; a login that greets may say other things before."""
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        heard, until = b"", time.monotonic() + 2 * CONNECT_S
        while READY not in heard and (left := until - time.monotonic()) > 0:
            if select.select([self._process.stdout], [], [], left)[0]:
                piece = os.read(self._process.stdout.fileno(), 4096)
                if not piece:
                    self._process.wait()
                    return False
                heard = heard[-len(READY) :] + piece
        return READY in heard


def command(address: str, socket: Path) -> list[str]:
    """Return the command that forwards `socket`; it says `READY` when it is, and ends when its input does."""
    options = [word for name, value in OPTIONS.items() for word in ("-o", f"{name}={value}")]
    port = placement.parts(address)["port"]
    options += [] if port is None else ["-p", port]
    forward = f"{socket}:{daemon.SOCKET}"
    return ["ssh", "-T", "-a", "-x", *options, "-L", forward, "--", _target(address), "echo coralline; exec cat"]


def explained(address: str, said: str) -> EngineError:
    """Turn what ssh said into what is wrong and what to do."""
    last = (said.strip().splitlines() or ["it ended without a word"])[-1]
    for pattern, reason, hint in REASONS:
        if re.search(pattern, said):
            line = hint.format(target=_target(address), ssh=f"ssh {_target(address)}")
            return EngineError(f"no Docker daemon at {address}: {reason}", hint=f"{line} (ssh says: {last})")
    return EngineError(
        f"no Docker daemon at {address}: {last}", hint=f"try by hand: ssh {_target(address)} docker version"
    )


def _target(address: str) -> str:
    parts = placement.parts(address)
    host = str(parts["host"]).strip("[]")  # ssh takes an IPv6 address without them
    return f"{parts['user']}@{host}" if parts["user"] else host
