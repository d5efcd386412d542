"""Machines of a farm on this one: network namespaces on a bridge of their own, and a real SLURM; nothing stays."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from lab import PATIENCE_S, Lab, holds

from coralline.farm import entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PORT = 8786
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")


@dataclass(frozen=True)
class Machine:
    """A network namespace and its address."""

    name: str
    address: str


@contextlib.contextmanager
def machines(count: int) -> Iterator[tuple[str, list[Machine]]]:
    """Give the address of this machine, and others that see it and nothing else of the world."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("machines of a farm as network namespaces: needs root and iproute2")
    own, net = f"cor{os.getpid()}", f"10.213.{os.getpid() % 250}"
    made = [Machine(f"{own}-{number}", f"{net}.{number + 2}") for number in range(count)]
    try:
        _ip("link", "add", own, "type", "bridge")
        _ip("address", "add", f"{net}.1/24", "dev", own)
        _ip("link", "set", own, "up")
        for machine in made:
            _ip("netns", "add", machine.name)
            _ip("link", "add", machine.name, "type", "veth", "peer", "name", "eth0", "netns", machine.name)
            _ip("link", "set", machine.name, "master", own, "up")
            _ip("-n", machine.name, "address", "add", f"{machine.address}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                _ip("-n", machine.name, "link", "set", link, "up")
        yield f"{net}.1", made
    finally:
        for words in (*(("netns", "delete", machine.name) for machine in made), ("link", "delete", own)):
            subprocess.run(["ip", *words], capture_output=True, check=False)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"machines of a farm as network namespaces: ip {words[0]}: {done.stderr.strip()}")


@dataclass(frozen=True)
class Farm:
    """A scheduler and workers that were started as a user starts them."""

    address: str
    workers: list[subprocess.Popen[str]]

    def kill(self, number: int) -> None:
        """End a machine's worker, with all that it started, as a power cut would."""
        os.killpg(self.workers[number].pid, signal.SIGKILL)


@contextlib.contextmanager
def farm(lab: Lab, home: str, hosts: list[Machine]) -> Iterator[Farm]:
    """Start a scheduler here and a worker on each machine, in the store of the lab."""
    entry.environment().ensure(print)
    started: list[subprocess.Popen[str]] = []
    address = f"dask://{home}:{PORT}"
    try:
        started.append(_begin(lab, "./run", "farm.scheduler", f"{home}:{PORT}"))
        assert holds(lambda: _answers(home), PATIENCE_S)
        words = ("./run", "farm.worker", address)
        started += [_begin(lab, "ip", "netns", "exec", host.name, *words) for host in hosts]
        yield Farm(address, started[1:])
    finally:
        for process in reversed(started):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _begin(lab: Lab, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words,
        cwd=lab.project,
        env={**os.environ, "CORALLINE_ARTIFACTS": str(lab.artifacts)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def _answers(host: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, PORT), timeout=1):
        return True
    return False


@contextlib.contextmanager
def slurm(home: Path) -> Iterator[dict[str, str]]:
    """Run a SLURM of one node from Debian's packages, which are unpacked and not installed; give its variables."""
    root = _unpacked(home)
    (home / "munge.key").write_bytes(os.urandom(1024))
    (home / "munge.key").chmod(0o400)
    (home / "slurm.conf").write_text(_configuration(home, root))
    (home / "jobqueue.yaml").write_text(
        "jobqueue:\n  slurm: {cores: 1, memory: 1GiB, queue: main, interface: lo, walltime: '00:30:00'}\n"
    )
    libraries = root / "usr/lib/x86_64-linux-gnu"
    variables = {
        "PATH": os.pathsep.join([str(root / "usr/bin"), os.environ["PATH"]]),
        "LD_LIBRARY_PATH": f"{libraries}:{libraries}/slurm-wlm",
        "SLURM_CONF": str(home / "slurm.conf"),
        "DASK_CONFIG": str(home),
    }
    places = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munged.pid", "seed-file": "munge.seed"}
    munge = [f"--{name}={home / place}" for name, place in (places | {"log-file": "munged.log"}).items()]
    programs = root / "usr/sbin"
    try:
        for words in (
            (programs / "munged", "--force", *munge),
            (programs / "slurmctld-wlm",),
            (programs / "slurmd-wlm", "-d", programs / "slurmstepd-wlm"),
        ):
            subprocess.run(words, env={**os.environ, **variables}, check=True, timeout=60)
        assert holds(lambda: "idle" in queue(variables, "sinfo", "--noheader"), 60)
        yield variables
    finally:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            queue(variables, "scancel", "--full", *queue(variables, "squeue", "--noheader", "--format=%A").split())
            holds(lambda: not queue(variables, "squeue", "--noheader"), 20)
        for name in ("slurmd", "slurmctld", "munged"):
            _end(home / f"{name}.pid")


def queue(variables: dict[str, str], *words: str) -> str:
    """Ask SLURM something."""
    return subprocess.run(
        words, env={**os.environ, **variables}, capture_output=True, text=True, check=False, timeout=30
    ).stdout


def _unpacked(home: Path) -> Path:
    """Fetch the packages and what they need beyond this machine's own, with lists of our own, and unpack them."""
    cache, root = home / "packages", home / "root"
    for folder in (cache / "archives" / "partial", cache / "lists" / "partial"):
        folder.mkdir(parents=True)
    places = (f"Dir::Cache={cache}", f"Dir::State::lists={cache / 'lists'}", "Debug::NoLocking=1")
    options = [word for place in places for word in ("-o", place)]
    _apt("update", *options)
    _apt("install", "--yes", "--no-install-recommends", "--download-only", *options, *PACKAGES)
    for archive in (cache / "archives").glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", archive, root], check=True)
    return root


def _apt(*words: str) -> None:
    try:
        done = subprocess.run(["apt-get", "--quiet", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("a real SLURM from Debian's packages: no apt-get here")
    if done.returncode != 0:
        pytest.skip(f"a real SLURM from Debian's packages: {done.stderr.strip().splitlines()[-1]}")


def _configuration(home: Path, root: Path) -> str:
    host, user, ports = os.uname().nodename, pwd.getpwuid(os.getuid()).pw_name, _free_ports(2)
    told = {
        "ClusterName": "one",
        "SlurmctldHost": f"{host}(127.0.0.1)",
        "SlurmctldPort": str(ports[0]),
        "SlurmdPort": str(ports[1]),
        "SlurmUser": user,
        "SlurmdUser": user,
        "AuthType": "auth/munge",
        "AuthInfo": f"socket={home / 'munge.socket'}",
        "CredType": "cred/munge",
        "PluginDir": str(root / "usr/lib/x86_64-linux-gnu/slurm-wlm"),
        "MpiDefault": "none",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "SwitchType": "switch/none",
        "ReturnToService": "2",
        "SlurmctldPidFile": str(home / "slurmctld.pid"),
        "SlurmdPidFile": str(home / "slurmd.pid"),
        "SlurmdSpoolDir": str(home / "spool"),
        "StateSaveLocation": str(home / "state"),
        "SlurmctldLogFile": str(home / "slurmctld.log"),
        "SlurmdLogFile": str(home / "slurmd.log"),
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_Core",
        "AccountingStorageType": "accounting_storage/none",
        "JobAcctGatherType": "jobacct_gather/none",
        "JobCompType": "jobcomp/none",
        "PropagateResourceLimits": "NONE",
        "NodeName": f"{host} NodeAddr=127.0.0.1 CPUs={os.cpu_count()} RealMemory=4000 State=UNKNOWN",
        "PartitionName": "main Nodes=ALL Default=YES MaxTime=INFINITE State=UP",
    }
    for folder in ("spool", "state"):
        (home / folder).mkdir()
    return "".join(f"{name}={value}\n" for name, value in told.items())


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        open_ones = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in open_ones:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in open_ones]


def _end(note: Path) -> None:
    """End a daemon by the file that names its process, and wait until it is gone."""
    with contextlib.suppress(OSError, ValueError):
        process = int(note.read_text())
        os.kill(process, signal.SIGTERM)
        until = time.monotonic() + 20
        while note.exists() and time.monotonic() < until:
            time.sleep(0.05)
