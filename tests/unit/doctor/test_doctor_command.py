from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING

import pytest
from machines import here, severities, write

from coralline import doctor
from coralline.commands import project as commands
from coralline.doctor import makers
from coralline.doctor.findings import error, warning

if TYPE_CHECKING:
    from pathlib import Path


def test_nothing_that_is_silent_holds_up_an_examination(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    hung = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    hung.bind(str(tmp_path / "docker.sock"))
    hung.listen()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    monkeypatch.setattr(makers.Images, "recorded", lambda _self, _name: None)
    lock_file = write(tmp_path / "vendor.lock", f"md5:00 x.deb {silent}\n")
    original = makers.vendor_trouble
    monkeypatch.setattr(makers, "vendor_trouble", lambda _lock: original(lock_file))
    started = time.monotonic()
    found = severities(doctor.examine(here(tmp_path)))
    assert time.monotonic() - started < 20  # both would be waited for without end
    hung.close()
    assert found["docker"] == "warning"
    assert found.get("compiler.image", found.get("compiler")) == "warning"  # the latter when time was up before it knew
    assert found["stick"] == found["gpu"] == found["governor"] == "info"


def test_the_command_prints_one_object_and_ends_with_the_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda _where: [warning("docker", "none", "start it")])
    commands.show_doctor(edgetpu=False, as_json=True)
    assert json.loads(capsys.readouterr().out)["findings"][0]["id"] == "docker"
    monkeypatch.setattr(doctor, "prove", lambda _where: [error("stick", "none", "plug one in")])
    with pytest.raises(SystemExit) as ended:
        commands.show_doctor(edgetpu=True, as_json=False)
    assert ended.value.code == 8
    assert capsys.readouterr().out.splitlines()[0].split(maxsplit=2) == ["error", "stick", "none"]
