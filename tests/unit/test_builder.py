from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coralline.catalogue import PROJECT
from coralline.errors import EngineError
from coralline.images import Images, builder

if TYPE_CHECKING:
    from collections.abc import Iterator

HASHES = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."


@pytest.fixture(autouse=True)
def _choose_anew() -> Iterator[None]:
    builder.client.cache_clear()
    yield
    builder.client.cache_clear()


def fake_docker(folder: Path, version: str, *, buildx: bool) -> Path:
    folder.mkdir()
    program = folder / "docker"
    program.write_text(f'#!/bin/sh\n[ "$1" = buildx ] && exit {0 if buildx else 1}\necho {version}\n')
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("clients", "chosen"),
    [
        ([("28.2.2", False), ("20.10.24+dfsg1", False)], (1, "buildkit")),
        ([("20.10.24", False), ("28.2.2", True)], (1, "buildx")),
        ([("28.2.2", False)], (0, "classic")),
        ([("19.03.1", False), ("20.10.1", False)], (0, "buildkit")),
    ],
)
def test_the_client_with_the_best_builder_is_chosen(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    clients: list[tuple[str, bool]],
    chosen: tuple[int, str],
) -> None:
    programs = [fake_docker(tmp_path / str(i), version, buildx=buildx) for i, (version, buildx) in enumerate(clients)]
    monkeypatch.setenv("PATH", os.pathsep.join(str(program.parent) for program in programs))
    assert builder.client() == builder.Client(program=str(programs[chosen[0]]), builder=chosen[1])


def test_no_client_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="no Docker client on PATH") as caught:
        builder.client()
    assert "--engine local" in caught.value.hint


RECORDING = """#!/bin/sh
[ "$1 $2" = "buildx version" ] && exit 0
echo "$@" >>"$(dirname "$0")/words"
while [ "$1" != --iidfile ]; do shift; done
echo "sha256:1 of $PIP_INDEX_URL" >"$2"
"""


def test_a_password_in_an_address_reaches_the_build_and_no_list_of_processes_or_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = fake_docker(tmp_path / "bin", "28", buildx=True)
    program.write_text(RECORDING)
    shutil.copytree(PROJECT / "docker", tmp_path / "project" / "docker")
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:secret@index/simple")
    images = Images(tmp_path / "project")
    monkeypatch.setattr(images, "_record", lambda *_, **__: None)
    monkeypatch.setattr("coralline.images.kept.settle", lambda image_id, **_: image_id)
    base = {"tag": "base:1", "layers": ["sha256:0"]}
    assert images._build("report", base, lambda _: None, fresh=False) == "sha256:1 of https://me:secret@index/simple"
    written = [program.with_name("words"), *(tmp_path / "project" / ".coralline" / "images").rglob("*.log")]
    assert ["secret" in path.read_text() for path in written] == [False, False]
    assert "--build-arg PIP_INDEX_URL" in written[0].read_text()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (HASHES, "a package is not the one that the lock pins"),
        ("#8 1.2 OSError: [Errno 28] No space left on device", "no space left on the disk"),
        ("E: Temporary failure resolving 'mirror'", "no network"),
        ("WARNING: Retrying ... NewConnectionError(...)", "no network"),
        ("ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED]", "a server's certificate is not trusted"),
        ("mmdebstrap is not installed", "mmdebstrap is not installed"),
        (
            "#8 0.6 /bin/sh: 1: tool: not found\n#8 ERROR: executor failed running [sh -c error]",
            "/bin/sh: 1: tool: not found",
        ),
        ("nothing that tells", "after"),
        ("#5 2.0 E: Unable to locate package nonsense", "E: Unable to locate package nonsense"),
    ],
)
def test_a_failed_build_says_why(said: str, message: str) -> None:
    error = builder.failure("the image train", ["before", *said.splitlines(), "------", "after"], Path("train.log"))
    assert error.message == f"the image train cannot be built: {message}" or message in error.message
    assert "train.log" in error.hint


def test_what_a_vendor_refused_is_the_whole_message() -> None:
    lines = ["#8 0.5 coralline-blocked: a.deb cannot be fetched from host: no answer in 10 s", "#8 ERROR: exit code: 1"]
    error = builder.failure("the image compile", lines, Path("compile.log"))
    assert error.message == "a.deb cannot be fetched from host: no answer in 10 s"


def test_output_is_logged_and_told_without_the_builder_s_noise(tmp_path: Path) -> None:
    told: list[str] = []
    command = ["printf", r"#5 0.31 Collecting numpy\n#5 DONE 0.4s\n#6 CACHED\n#7 [build 2/4] RUN x\n"]
    assert builder.run(command, tmp_path / "log", told.append) is None
    assert told == ["Collecting numpy", "[build 2/4] RUN x"]
    assert "#6 CACHED" in (tmp_path / "log").read_text()


def test_a_failed_command_gives_its_last_lines(tmp_path: Path) -> None:
    assert builder.run(["sh", "-c", "echo one; echo two >&2; exit 3"], tmp_path / "log") == ["one", "two"]


def test_a_command_ends_when_its_listener_raises(tmp_path: Path) -> None:
    def stop(_: str) -> None:
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        builder.run(["sh", "-c", "echo one; exec sleep 60"], tmp_path / "log", stop)
    assert time.monotonic() - started < 10


def test_a_command_ends_at_its_limit(tmp_path: Path) -> None:
    started = time.monotonic()
    assert builder.run(["sleep", "60"], tmp_path / "log", limit_s=0.2) == []
    assert time.monotonic() - started < 10
