"""Another machine, as far as one can be had on this one: a Docker daemon with root, network and processes of its own.

It sees no folder of this machine below /tmp, and has a machine-id of its own. An ssh server stands beside it where one
is installed. It has a docker0 in its own network: this machine's is left alone.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

PROGRAMS = ("dockerd", "ip", "nsenter", "unshare")
OURS, THEIRS = (f"10.213.{os.getpid() % 250}.{last}" for last in (1, 2))  # several suites may run at once
TCP, SSH = f"tcp://{THEIRS}:2375", "ssh://root@berry:2222"
INSIDE = f"""
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/host /run/lock /run/sshd && chmod 1777 /run/lock
mount --bind "$1" /run/host
if [ -e /etc/machine-id ]; then mount --bind /run/host/machine-id /etc/machine-id; fi
mount --bind /run/host/tmp /tmp
ip link set lo up
if [ -e /run/host/ssh/config ]; then "$2" -f /run/host/ssh/config -E /run/host/sshd.log; fi
exec dockerd --data-root /run/host/docker --exec-root /run/docker --pidfile /run/docker.pid --tls=false \\
    -H unix:///run/docker.sock -H tcp://{THEIRS}:2375
"""
SERVER = f"""Port 2222
ListenAddress {THEIRS}
HostKey /run/host/ssh/host
AuthorizedKeysFile /run/host/ssh/user.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
"""


def lacking() -> str | None:
    """Say why there can be no second daemon here, or None."""
    if os.geteuid() != 0:
        return "only root can give a second Docker daemon a network of its own"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"{', '.join(missing)} not installed" if missing else None


@dataclass
class SecondHost:
    """The machine; `up` starts it, `down` leaves nothing of it."""

    home: Path
    name: str = field(default_factory=lambda: f"coralline{os.getpid()}")

    def up(self) -> None:
        """Start it and wait until its daemon answers."""
        for folder in ("tmp", "docker", "bin"):
            (self.home / folder).mkdir()
        (self.home / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        (self.home / "inside.sh").write_text(INSIDE)
        if self.has_ssh:
            self._give_keys()
        _do("ip", "netns", "add", self.name)
        try:
            _do("ip", "link", "add", self._link, "type", "veth", "peer", "name", "far0", "netns", self.name)
            _do("ip", "addr", "add", f"{OURS}/30", "dev", self._link)
            _do("ip", "link", "set", self._link, "up")
            _do(*self._within, "ip", "addr", "add", f"{THEIRS}/30", "dev", "far0")
            _do(*self._within, "ip", "link", "set", "far0", "up")
            self._start()
        except BaseException:
            _do("ip", "netns", "del", self.name)
            raise

    @property
    def has_ssh(self) -> bool:
        """Whether it can be reached by ssh."""
        return all(shutil.which(name, path=f"{os.defpath}:/usr/sbin") for name in ("ssh", "sshd", "ssh-keygen"))

    def down(self) -> None:
        """End it."""
        try:
            for child in self._children():  # the daemon: unshare itself ends with it, and with nothing else
                os.kill(child, signal.SIGTERM)
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            _do("ip", "netns", "del", self.name)
            shutil.rmtree(self.home, ignore_errors=True)

    def left(self) -> list[str]:
        """Ids of all containers and volumes there."""
        found = [self.docker("ps", "--all", "--quiet"), self.docker("volume", "ls", "--quiet")]
        return [line for text in found for line in text.split()]

    def docker(self, *words: str) -> str:
        """Ask its daemon through the client."""
        done = subprocess.run(["docker", "-H", TCP, *words], capture_output=True, text=True, check=True)
        return done.stdout

    def variables(self) -> dict[str, str]:
        """Return the environment in which `ssh` finds this host and its key."""
        return {"PATH": f"{self.home / 'bin'}:{os.environ['PATH']}"}

    def __enter__(self) -> Self:
        """Start it."""
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.down()

    @property
    def _link(self) -> str:
        return f"crl{os.getpid()}"

    @property
    def _within(self) -> tuple[str, ...]:
        return ("nsenter", f"--net=/run/netns/{self.name}")

    def _children(self) -> list[int]:
        pid = self._process.pid
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def _start(self) -> None:
        sshd = shutil.which("sshd", path="/usr/sbin:/usr/bin") or ""
        inside = [*self._within, "sh", str(self.home / "inside.sh"), str(self.home), sshd]
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *inside]
        with (self.home / "dockerd.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(600):
            if subprocess.run(["docker", "-H", TCP, "version"], capture_output=True, check=False).returncode == 0:
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError((self.home / "dockerd.log").read_text()[-2000:])

    def _give_keys(self) -> None:
        folder = self.home / "ssh"
        folder.mkdir()
        for name in ("host", "user"):
            _do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
        (folder / "config").write_text(SERVER)
        client = self.home / "client.conf"
        client.write_text(
            f"Host berry\n HostName {THEIRS}\n IdentityFile {folder / 'user'}\n"
            f" UserKnownHostsFile {self.home / 'known'}\n StrictHostKeyChecking accept-new\n"
        )
        ours = self.home / "bin" / "ssh"
        ours.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {client} "$@"\n')
        ours.chmod(0o755)


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process as the system does when it runs out of memory."""
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def python(code: str, variables: dict[str, str], cwd: Path) -> subprocess.Popen[bytes]:
    """Start Python on some code."""
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=cwd, env={**os.environ, **variables}, stdout=subprocess.PIPE
    )
