from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from bus import Bus
from hypothesis import given
from hypothesis import strategies as st
from machines import here, severities, write

from coralline.doctor import devices

if TYPE_CHECKING:
    from pathlib import Path


def test_a_gpu_without_a_toolkit_is_no_gpu_for_containers(tmp_path: Path) -> None:
    where = here(tmp_path)
    assert severities(devices.graphics(where)) == {"gpu": "info"}
    for name in ("dev/nvidia0", "dev/nvidiactl"):
        write(where.root / name, "")
    write(
        where.root / "proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun\n"
    )
    found = list(devices.graphics(where))
    assert severities(found) == {"gpu": "ok", "gpu.containers": "warning"}
    assert "535.183.01" in found[0].message
    write(tmp_path / "bin/nvidia-ctk", "#!/bin/sh\n").chmod(0o755)
    assert severities(devices.graphics(here(tmp_path, environ={"PATH": str(tmp_path / "bin")}))) == {"gpu": "ok"}


def test_no_stick_is_worth_knowing_and_an_error_when_it_was_asked_for(tmp_path: Path) -> None:
    assert severities(devices.sticks(here(tmp_path))) == {"stick": "info"}
    assert severities(devices.sticks(here(tmp_path), demanded=True)) == {"stick": "error"}


def test_every_stick_is_described(tmp_path: Path) -> None:
    where = here(tmp_path)
    bus = Bus(where.root)
    bus.plug("1-2", "ready", 7, speed="480")
    bus.plug("2-1", "boot", 5)
    found = list(devices.sticks(where))
    assert [(finding.id, str(finding.severity)) for finding in found] == [
        ("stick", "warning"),
        ("stick.access", "ok"),
        ("stick", "ok"),
        ("stick.access", "ok"),
    ]
    assert "port 1-2, device 7: ready" in found[0].message
    assert "USB 2, 480 Mbit/s" in found[0].message
    assert "port 2-1, device 5: boot" in found[2].message


def test_a_closed_stick_gets_the_udev_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = here(tmp_path)
    Bus(where.root).plug("2-1", "boot", 5)
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    found = list(devices.sticks(where, demanded=True))
    assert severities(found) == {"stick": "ok", "stick.access": "error"}
    assert str(found[1].remedy).count("SUBSYSTEM==") == 2


RULE = 'SUBSYSTEM=="usb",ATTRS{{idVendor}}=="{}",GROUP="plugdev"\n'


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "info"),
        ({"etc/udev/rules.d/99-a.rules": RULE.format("1a6e") + RULE.format("18d1")}, "ok"),
        (
            {"lib/udev/rules.d/60-a.rules": RULE.format("1a6e"), "etc/udev/rules.d/61-b.rules": RULE.format("18d1")},
            "ok",
        ),
        ({"etc/udev/rules.d/99-a.rules": RULE.format("1a6e")}, "warning"),
        ({"etc/udev/rules.d/99-a.rules": "# " + RULE.format("1a6e") + "#" + RULE.format("18d1")}, "info"),
        (
            {
                "etc/udev/rules.d/60-a.rules": "",
                "lib/udev/rules.d/60-a.rules": RULE.format("1a6e") + RULE.format("18d1"),
            },
            "info",
        ),
        ({"etc/udev/rules.d/99-a.txt": RULE.format("1a6e") + RULE.format("18d1")}, "info"),
    ],
)
def test_rules_for_both_identities_are_looked_for(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    where = here(tmp_path)
    for name, text in files.items():
        write(where.root / name, text)
    assert severities(devices.udev(where)) == {"udev": expected}


def test_the_udev_lines_that_we_tell_are_rules_that_we_find(tmp_path: Path) -> None:
    where = here(tmp_path)
    remedy = str(next(iter(devices.udev(where))).remedy)
    write(where.root / "etc/udev/rules.d/99-x.rules", "\n".join(line.strip() for line in remedy.splitlines()))
    assert severities(devices.udev(where)) == {"udev": "ok"}


@given(st.binary(max_size=200))
def test_any_file_may_lie_among_the_rules(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    where = here(tmp_path_factory.mktemp("udev"))
    write(where.root / "etc/udev/rules.d/1.rules", "").write_bytes(content)
    assert len(list(devices.udev(where))) == 1
