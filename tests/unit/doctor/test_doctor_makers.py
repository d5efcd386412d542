from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest
from machines import here, severities, write

from coralline.catalogue import PROJECT
from coralline.doctor import makers
from coralline.doctor.findings import error

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("wanted", "locked", "trouble"),
    [
        ("numpy==1.26.4\n", "numpy==1.26.4 \\\n    --hash=sha256:aa\n", None),
        (
            "# only\nNumPy==1.26.4\nsetuptools<82\n",
            "numpy==1.26.4 --hash=sha256:a\nsetuptools==81.0.0 --hash=sha256:b\n",
            None,
        ),
        ("-r host.in\nmypy\n", "mypy==1.0 --hash=sha256:a\n", None),
        ("tensorflow[and-cuda]==2.15.1\n", "tensorflow==2.15.1 --hash=sha256:a\n", None),
        ("numpy==1.26.4\n", "numpy==1.26.3 --hash=sha256:a\n", "has numpy 1.26.3; requirements.in asks for 1.26.4"),
        ("numpy\npillow\n", "numpy==1.26.3 --hash=sha256:a\n", "lacks pillow"),
        ("numpy\n", "numpy==1.26.3\n", "pins numpy without a hash"),
        ("numpy\n", "a==1 --hash=sha256:a\nnumpy==1.26.3\n", "pins numpy without a hash"),
        ("numpy\n", None, "is missing"),
        (
            "numpy==1.26.4; python_version < '3.13'\nnumpy>=2; python_version >= '3.13'\n",
            "numpy==1.26.4 ; python_full_version < '3.13' --hash=sha256:a\nnumpy==2.3.4 --hash=sha256:b\n",
            None,
        ),
        (
            "numpy==1.26.4; python_version < '3.13'\n",
            "numpy==1.26.3 ; python_full_version < '3.13' --hash=sha256:a\nnumpy==2.3.4 --hash=sha256:b\n",
            "has numpy 1.26.3, 2.3.4; requirements.in asks for 1.26.4",
        ),
    ],
)
def test_a_lock_is_held_against_its_requirements(
    tmp_path: Path, wanted: str, locked: str | None, trouble: str | None
) -> None:
    requirements = write(tmp_path / "requirements.in", wanted)
    if locked is not None:
        write(tmp_path / "requirements.lock", locked)
    assert makers.lock_trouble(requirements) == trouble


def test_the_project_s_own_locks_are_in_step(tmp_path: Path) -> None:
    found = list(makers.locks(here(tmp_path)))
    assert severities(found) == {"locks": "ok"}
    assert int(found[0].message.split()[0]) == len(
        [*PROJECT.glob("docker/*/requirements.in"), *PROJECT.glob("requirements/*.in")]
    )


def test_a_broken_lock_is_named_with_its_command(tmp_path: Path) -> None:
    write(tmp_path / "docker/train/requirements.in", "numpy==2\n")
    write(tmp_path / "docker/train/requirements.lock", "numpy==1 --hash=sha256:a\n")
    found = list(makers.locks(here(tmp_path, project=tmp_path)))
    assert found == [
        error(
            "locks", "docker/train/requirements.lock has numpy 1; requirements.in asks for 2", "./run image.lock train"
        )
    ]


def test_no_daemon_is_a_warning_where_the_local_engine_works_and_an_error_where_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    for other, expected in ((None, "warning"), ("this is darwin", "error")):
        monkeypatch.setattr(makers.LocalEngine, "available", lambda _self, other=other: other)
        found = list(makers.server(here(tmp_path)))
        assert severities(found) == {"docker": expected}
        assert "none.sock does not exist" in found[0].message


@pytest.mark.parametrize(("driver", "expected"), [("overlay2", "ok"), ("vfs", "warning")])
def test_the_daemon_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str, expected: str) -> None:
    told = {
        "/version": {"Version": "20.10.24", "ApiVersion": "1.41"},
        "/info": {"Driver": driver, "DockerRootDir": "/"},
    }
    monkeypatch.setattr(makers.daemon, "get", lambda path: (200, told[path]))
    found = list(makers.server(here(tmp_path)))
    assert found[0].message == "daemon 20.10.24 (API 1.41)"
    assert severities(found)["docker.storage"] == expected
    assert "disk.docker" in severities(found)


def test_a_daemon_that_refuses_is_no_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(makers.daemon, "get", lambda _path: (500, "no"))
    assert severities(makers.server(here(tmp_path))) == {"docker": "error"}


def test_a_vendor_that_is_silent_or_gone_is_told_within_the_limit(
    tmp_path: Path, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as gone:
        closed = f"https://127.0.0.1:{gone.getsockname()[1]}/x.deb"
    started = time.monotonic()
    for address in (silent, closed):
        lock_file = write(tmp_path / "vendor.lock", f"# about\nmd5:00 x.deb {address}\n")
        assert str(makers.vendor_trouble(lock_file, 0.3)).startswith("127.0.0.1: ")
    assert time.monotonic() - started < 3


def test_a_compiler_out_of_reach_says_what_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(makers.Images, "recorded", lambda _self, _name: None)
    monkeypatch.setattr(makers, "vendor_trouble", lambda _lock: "vendor: no network")
    assert severities(makers.compiler(here(tmp_path))) == {"compiler.image": "warning"}
    program = write(tmp_path / "bin/edgetpu_compiler", "#!/bin/sh\n")
    program.chmod(0o755)
    found = severities(makers.compiler(here(tmp_path, environ={"PATH": str(program.parent)})))
    assert found == {"compiler": "ok"}
    monkeypatch.setattr(makers, "vendor_trouble", lambda _lock: None)
    assert severities(makers.compiler(here(tmp_path))) == {"compiler.image": "info"}
