"""From a packed folder alone: a fresh copy of the project is set up and runs with the network unplugged."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest
from conftest import can
from lab import EVENTS, Lab, save_images

from coralline import offline
from coralline.environments import PYTHON
from coralline.pack import PROJECT_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNPLUGGED = ("unshare", "--net")
WORDS = ("all", "--model", "resnet50v2", "--only", "dataset", "--engine", "local")
SETTINGS = tuple(word for name in (*EVENTS, "dataset.size=32") for word in ("--set", name))
# All environments of the local engine, as a run that needs them makes them.
ENVIRONMENTS = """
from coralline.engines import HOME
from coralline.engines.local import LocalEngine
from coralline.catalogue import PROJECT
from coralline.images import Images
engine = LocalEngine(PROJECT, HOME / "environments")
for name in Images(PROJECT).usual():
    if engine.blocked(name) is None:
        engine.prepare(name, print)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if not can(*UNPLUGGED, "true"):
        pytest.skip("sites without network: nobody here may make a network namespace")
    folder = tmp_path_factory.mktemp("unplugged")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def pack(place: Path) -> Path:
    Lab(place / "nothing", "local").run("pack", "--to", str(place / "pack"))
    return place / "pack"


@pytest.fixture(scope="module")
def checkout(place: Path, pack: Path) -> Path:
    """What a site has: the pack, and the project out of it."""
    with tarfile.open(pack / PROJECT_FILE) as archive:
        archive.extractall(place, filter="data")
    return place / "coralline"


def unplugged(checkout: Path, *words: str, code: int = 0) -> str:
    """Run without a network, with nothing of this user's; what was told on standard error."""
    variables = {"HOME": str(checkout.parent / "home"), "CORALLINE_ARTIFACTS": str(checkout.parent / "artifacts")}
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        variables[name] = ""
    done = subprocess.run(
        [*UNPLUGGED, *words], env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done.stderr


def test_a_fresh_copy_sets_itself_up_and_runs(checkout: Path, pack: Path) -> None:
    unplugged(checkout, "python3", "-c", "import socket; socket.create_connection(('192.0.2.1', 80), 5)", code=1)
    told = unplugged(checkout, f"{checkout}/run", "--offline", str(pack), *WORDS, *SETTINGS)
    assert "done      dataset" in told
    record = Lab(checkout.parent / "artifacts", "local").records()["dataset"]
    assert record["engine"]["python"].startswith(PYTHON)


def test_every_environment_of_the_local_engine_is_made_from_it(checkout: Path, pack: Path) -> None:
    python = f"{checkout}/.coralline/host/bin/python"
    words = ("env", f"{offline.VARIABLE}={pack}", f"PYTHONPATH={checkout}", python, "-P", "-c", ENVIRONMENTS)
    unplugged(checkout, *words)
    made = {path.name.partition("-py")[0].rpartition("-")[0] for path in _environments(checkout)}
    made.discard("synthesise")  # only where the host has its programs
    assert made == {"benchmark", "benchmark-litert", "convert", "dataset", "evolve", "report", "train"}


def test_afterwards_it_needs_the_pack_no_more(checkout: Path, tmp_path: Path) -> None:
    images = save_images(tmp_path / "images")
    assert "done      dataset" in unplugged(checkout, f"{checkout}/run", *WORDS, "--data", str(images))


def test_a_damaged_wheel_is_named(checkout: Path, pack: Path, tmp_path: Path) -> None:
    [environment] = [path for path in _environments(checkout) if path.name.startswith("dataset-")]
    shutil.rmtree(environment)
    [wheel] = (pack / "wheels").glob("numpy-*")
    content = bytearray(wheel.read_bytes())
    content[len(content) // 2] ^= 1
    wheel.write_bytes(content)
    words = ("--offline", str(pack), *WORDS, "--data", str(save_images(tmp_path / "images", each=7)))
    told = unplugged(checkout, f"{checkout}/run", *words, code=5)
    assert f"wheels/{wheel.name} is damaged" in told


def test_a_folder_that_is_no_pack_is_refused(checkout: Path, tmp_path: Path) -> None:
    told = unplugged(checkout, f"{checkout}/run", "--offline", str(tmp_path), "models", code=2)
    assert told.startswith(f"error: --offline: '{tmp_path}' is no folder that `./run pack` wrote")


def test_after_the_task_it_is_told_where_it_stands(checkout: Path, pack: Path) -> None:
    told = unplugged(checkout, f"{checkout}/run", "models", "--offline", str(pack), code=2)
    assert told == "error: --offline stands before the task\n  ./run --offline DIR TASK\n"


def _environments(checkout: Path) -> list[Path]:
    return [path for path in (checkout / ".coralline" / "environments").iterdir() if path.is_dir()]
