"""A Docker daemon of our own, with its own root and no network, that may be killed without harm to anybody else's."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

PATIENCE_S = 60.0
WITHOUT_BRIDGES = ("--bridge=none", "--iptables=false", "--ip6tables=false")


class Servant:
    """A daemon below `home`, in its own network namespace: without a bridge it would remove the first daemon's."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """What to set DOCKER_HOST to."""
        return f"unix://{self._home}/docker.sock"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._home.mkdir(parents=True, exist_ok=True)
        places = (f"--data-root={self._home}/data", f"--exec-root={self._home}/exec", f"--pidfile={self._home}/pid")
        for stale in (
            "pid",
            "exec/containerd/containerd.pid",
        ):  # a killed containerd that nobody reaped counts as alive
            (self._home / stale).unlink(missing_ok=True)
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "--net", "dockerd", *places, f"--host={self.address}", *WITHOUT_BRIDGES],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        until = time.monotonic() + PATIENCE_S
        while not self._answers():
            if time.monotonic() > until or self._process.poll() is not None:
                raise RuntimeError((self._home / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.1)

    def load(self, *images: str) -> None:
        """Copy images of the machine's daemon into this one, under the same ids and names."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving:
            subprocess.run(["docker", "--host", self.address, "load"], stdin=saving.stdout, check=True)

    def kill(self) -> None:
        """SIGKILL to the daemon, its containerd and the shims of its containers."""
        for pid in self._all():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(PATIENCE_S)

    def stop(self) -> None:
        """End it in order, and leave nothing mounted, so that its folder can be removed."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(PATIENCE_S)
        self.kill()
        places = (line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines())
        for place in sorted((place for place in places if place.startswith(f"{self._home}/")), reverse=True):
            subprocess.run(["umount", "--lazy", place], check=False)

    def _answers(self) -> bool:
        asked = subprocess.run(["docker", "--host", self.address, "version"], capture_output=True, check=False)
        return asked.returncode == 0

    def _all(self) -> list[int]:
        """Its own process and all that name its folder, which the processes inside containers do not."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and str(self._home).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return [pid for pid in found if pid != os.getpid()]
