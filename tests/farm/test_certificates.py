"""A farm behind tls:// without certificates, or with some that cannot be used, is refused in two lines."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import dask
import pytest

from coralline import catalogue
from coralline.errors import ProfileError
from coralline.farm import certificates, queues

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "tls://127.0.0.1:8786"
ROLES = ("scheduler", "worker", "client")


@pytest.mark.parametrize("role", ROLES)
def test_a_farm_without_certificates_is_refused(role: str) -> None:
    with pytest.raises(ProfileError, match=f"name none for the {role}"):
        certificates.check(ADDRESS, role)
    certificates.check("tcp://127.0.0.1:8786", role)


@pytest.mark.parametrize("role", ROLES)
def test_certificates_that_cannot_be_used_are_named(role: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for file in (tmp_path / "nowhere.pem", broken):
        with settings(role, *[str(file)] * 3), pytest.raises(ProfileError, match="cannot be used"):
            certificates.check(ADDRESS, role)


@pytest.mark.parametrize("role", ROLES)
def test_certificates_that_can_be_used_are_taken(role: str, tmp_path: Path) -> None:
    with queues.keys(tmp_path) as made, settings(role, made.tls_ca_file, *pair(made, role)):
        certificates.check(ADDRESS, role)


def pair(made: Any, role: str) -> list[str]:
    return [getattr(made, f"tls_{role}_{kind}") for kind in ("cert", "key")]


def settings(role: str, authority: str, certificate: str, key: str) -> dask.config.set:
    """Dask's settings as a user's file makes them."""
    tls = "distributed.comm.tls"
    return dask.config.set({f"{tls}.ca-file": authority, f"{tls}.{role}.cert": certificate, f"{tls}.{role}.key": key})


@pytest.mark.parametrize("module", ["coralline.farm.head", "coralline.farm.node"])
def test_both_sides_end_without_a_traceback(module: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", module, ADDRESS],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(catalogue.PROJECT)},
    )
    assert ended.returncode == 2
    assert [line.partition(" ")[0] for line in ended.stderr.splitlines()] == ["error:", ""]
