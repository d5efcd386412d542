"""`./run` where there is Docker and no Python: the same keys, files and words, and nothing left when it is killed."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import can
from lab import Lab, end, holds, read_until, save_images

from coralline import daemon
from coralline.catalogue import PROJECT
from coralline.images import OWN_AUTHORITIES
from coralline.pack import project

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = "coralline-base:bookworm"
USER = 4321  # nobody of this machine
# The chroot sees this machine's kernel, daemon and /tmp, and the mounts go when its last process does.
ENTER = """
root=$1 user=$2; shift 2
for place in /dev /proc /sys /tmp "$(readlink -f /var/run/docker.sock)"; do mount --rbind "$place" "$root$place"; done
exec chroot --userspec="$user:$user" --groups="$user,$(stat -Lc %g /var/run/docker.sock)" "$root" "$@"
"""
PATHS = "PATH=/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Site(Lab):
    """A lab in a root file system without Python, as a user of no other right than the daemon's socket."""

    root: Path = Path("/")

    def entered(self, *command: str) -> list[str]:
        """Return the command line that runs a command inside."""
        told = {name: os.environ[name] for name in (*OWN_AUTHORITIES, "PIP_INDEX_URL") if os.environ.get(name)}
        words = [f"{name}={value}" for name, value in {**told, **self.variables}.items()]
        inside = ["env", "-i", PATHS, "HOME=/", f"CORALLINE_ARTIFACTS={self.artifacts}", *words, *command]
        return ["unshare", "--mount", "sh", "-euc", ENTER, "sh", str(self.root), str(USER), *inside]

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a task in a process group of its own."""
        return subprocess.Popen(
            self.entered(str(self.project / "run"), *words),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that the site's user reaches: pytest's own are closed to others."""
    trouble = daemon.trouble()
    if trouble is not None:
        pytest.skip(f"sites without Python: {trouble}")
    if daemon.image(BASE) is None or os.geteuid() != 0 or not can("unshare", "--mount", "true"):
        pytest.skip("sites without Python: needs root, namespaces and a base image")
    folder = Path(tempfile.mkdtemp(prefix="coralline-site-"))
    folder.chmod(0o755)
    os.chown(folder, USER, USER)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def checkout(place: Path) -> Path:
    """A fresh copy of the project that belongs to the site's user."""
    copy = place / "a checkout"
    for path in project.files(PROJECT):
        target = copy / path.relative_to(PROJECT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    subprocess.run(["chown", "-R", f"{USER}:{USER}", copy], check=True)
    return copy


@pytest.fixture(scope="module")
def root(place: Path) -> Path:
    """A Debian with a Docker client, out of which every Python was taken."""
    root = place / "root"
    root.mkdir()
    made = subprocess.run(["docker", "create", BASE], capture_output=True, text=True, check=True).stdout.strip()
    with subprocess.Popen(["docker", "export", made], stdout=subprocess.PIPE) as export:
        subprocess.run(
            ["tar", "-x", "-C", root, "--exclude=*python*", "--exclude=usr/share/*"], stdin=export.stdout, check=True
        )
    subprocess.run(["docker", "rm", made], capture_output=True, check=True)
    client = Path("/usr/bin/docker") if Path("/usr/bin/docker").exists() else Path(shutil.which("docker") or "")
    shutil.copy(client, root / "usr/bin/docker")
    for name in ("/etc/machine-id", *(os.environ.get(name, "") for name in OWN_AUTHORITIES)):
        if name and Path(name).exists():
            shutil.copy(name, root / name.lstrip("/"))
    socket = root / Path("/var/run/docker.sock").resolve().relative_to("/")
    socket.parent.mkdir(parents=True, exist_ok=True)
    socket.touch()
    assert not list(root.rglob("*python3*"))
    return root


@pytest.fixture
def site(place: Path, root: Path, checkout: Path) -> Iterator[Site]:
    artifacts = place / "artifacts of the site"
    yield Site(artifacts, "docker", project=checkout, root=root)
    shutil.rmtree(artifacts, ignore_errors=True)


@pytest.fixture
def data(place: Path) -> Path:
    return save_images(place / 'da,ta "1"')


def test_it_makes_what_python_makes(site: Site, data: Path, tmp_path: Path) -> None:
    words = ("all", "--model", "resnet50v2", "--only", "dataset", "--engine", "docker", f"--data={data}")
    there = site.run(*words)
    here = Lab(tmp_path / "artifacts", "docker")
    told = here.run(*words)
    mine, theirs = here.records()["dataset"], site.records()["dataset"]
    for part in ("key", "digest", "host", "key_parts", "engine"):
        assert theirs[part] == mine[part], part
    assert "fingerprint" in mine["host"]  # of which the keys of measurements are made
    assert _story(there.stderr) == _story(told.stderr)
    made = [path for folder in (site.artifacts, site.project / ".coralline") for path in folder.rglob("*")]
    assert made
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in made} == {(USER, USER)}


def test_a_wrong_word_has_its_exit_code(site: Site) -> None:
    assert "no such task 'al'" in site.run("al", code=2).stderr


def test_ctrl_c_on_a_terminal_ends_it_in_seconds(site: Site) -> None:
    words = ("all", "--model", "resnet50v2", "--only", "dataset", "--set", "dataset.train_events=100000")
    process, terminal = pty.fork()
    if process == 0:
        os.chdir("/")
        command = site.entered(str(site.project / "run"), *words)
        os.execvp(command[0], command)  # noqa: S606 - it takes this process's terminal
    assert holds(lambda: site.containers(running=True), 120)
    os.write(terminal, b"\x03")
    started = time.monotonic()
    said = _said(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 130, said
    assert time.monotonic() - started < 30
    assert site.nothing_is_left()


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_client_leaves_nothing(site: Site, name: signal.Signals) -> None:
    words = ("all", "--model", "resnet50v2", "--only", "dataset", "--set", "dataset.train_events=100000")
    process = site.start(*words)
    read_until(process, "start")
    assert holds(lambda: site.containers(running=True), 60)
    process.send_signal(name)
    end(process)
    assert site.nothing_is_left(within_s=15)
    assert holds(lambda: not _orchestrators(site), within_s=15)


def test_without_a_daemon_it_says_so(site: Site) -> None:
    lost = Site(
        site.artifacts, "docker", project=site.project, root=site.root, variables={"DOCKER_HOST": "unix:///tmp/none"}
    )
    assert "error: the Docker daemon at /tmp/none cannot be used" in lost.run("models", code=4).stderr


def test_the_image_built_again_elsewhere_has_the_same_layers(checkout: Path, tmp_path: Path) -> None:
    """Another line in the recipe's scripts gives it another name, and no layer of before to take from a cache."""
    other = tmp_path / "somewhere else"
    shutil.copytree(checkout / "docker", other / "docker", copy_function=shutil.copyfile)
    shutil.copytree(checkout / "requirements", other / "requirements", copy_function=shutil.copyfile)
    with (other / "docker" / "orchestrator" / "client.sh").open("a") as script:
        script.write(f"# {tmp_path}\n")
    for path in other.rglob("*"):
        os.utime(path, (0, 0))
        path.chmod(0o700)
    names = [_built(checkout), _built(other, LC_ALL="C", TZ="Pacific/Kiritimati")]
    try:
        first, second = (daemon.image(name) for name in names)
        assert first is not None
        assert second is not None
        assert names[0] != names[1]
        assert first["RootFS"] == second["RootFS"]
    finally:
        subprocess.run(["docker", "rmi", names[1]], check=True, capture_output=True)


def _built(project: Path, **variables: str) -> str:
    script = project / "docker" / "orchestrator" / "build.sh"
    done = subprocess.run(["sh", script], env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _story(told: str) -> list[str]:
    """What happened, without times and without progress, which depends on them."""
    return [line.split(" (")[0] for line in told.splitlines() if line[:1] != " " and "orchestrator" not in line]


def _said(terminal: int) -> str:
    pieces = []
    while True:
        try:
            pieces.append(os.read(terminal, 4096))
        except OSError:  # the other side has closed it (pty(7): EIO)
            return b"".join(pieces).decode(errors="replace")


def _orchestrators(site: Site) -> list[Any]:
    _, found = daemon.get("/containers/json")
    mounted = str(site.project)
    return [one for one in found if any(mount.get("Source") == mounted for mount in one["Mounts"])]
