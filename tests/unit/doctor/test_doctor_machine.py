from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from machines import GIB, here, severities, write

from coralline.doctor import machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "expected"), [("MemTotal: 1048576 kB", "warning"), ("MemTotal: 67108864 kB", "ok"), ("", "info")]
)
def test_memory_is_measured_by_the_largest_stage(tmp_path: Path, text: str, expected: str) -> None:
    where = here(tmp_path)
    write(where.root / "proc/meminfo", text + "\n")
    assert severities(machine.memory(where)) == {"memory": expected}


@pytest.mark.parametrize(("free", "expected"), [(GIB // 4, "error"), (2 * GIB, "warning"), (40 * GIB, "ok")])
def test_disk_is_asked_where_artifacts_will_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, expected: str
) -> None:
    asked: list[Path] = []
    usage = shutil._ntuple_diskusage  # type: ignore[attr-defined]  # the type of disk_usage's answer
    monkeypatch.setattr(shutil, "disk_usage", lambda path: (asked.append(path), usage(100 * GIB, 0, free))[1])
    assert severities(machine.disk(here(tmp_path))) == {"disk.artifacts": expected}
    assert asked == [tmp_path]  # the folder of artifacts is not there yet


def test_bundles_of_authorities_must_be_there_and_hold_some(tmp_path: Path) -> None:
    good = write(tmp_path / "good.crt", "-----BEGIN CERTIFICATE-----\n")
    empty = write(tmp_path / "empty.crt", "")
    environ = {"SSL_CERT_FILE": str(good), "PIP_CERT": str(tmp_path / "none"), "REQUESTS_CA_BUNDLE": str(empty)}
    found = list(machine.certificates(here(tmp_path, environ=environ)))
    assert [str(finding.severity) for finding in found] == ["ok", "error", "error"]
    assert "REQUESTS_CA_BUNDLE" in found[1].message
    assert "PIP_CERT" in found[2].message
    assert severities(machine.certificates(here(tmp_path))) == {"certificates": "ok"}


@pytest.mark.parametrize(("now", "expected"), [(0.0, "error"), (1_735_689_601.0, "warning"), (None, "ok")])
def test_a_clock_far_off_is_noticed(tmp_path: Path, now: float | None, expected: str) -> None:
    where = here(tmp_path) if now is None else here(tmp_path, now=now)
    assert severities(machine.clock(where)) == {"clock": expected}


@pytest.mark.parametrize(
    ("words", "expected"), [([], "info"), (["performance"] * 2, "ok"), (["performance", "powersave"], "warning")]
)
def test_the_governor_of_every_processor_counts(tmp_path: Path, words: list[str], expected: str) -> None:
    where = here(tmp_path)
    for number, word in enumerate(words):
        write(where.root / f"sys/devices/system/cpu/cpu{number}/cpufreq/scaling_governor", word + "\n")
    assert severities(machine.governor(where)) == {"governor": expected}
