"""The local engine has an image's programs only where the host has them, and then their bytes count."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from coralline.catalogue import PROJECT
from coralline.engines.local import LocalEngine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalEngine:
    """An engine of a project whose image `synthesise` needs two programs, on a host that has none."""
    image = tmp_path / "docker" / "synthesise"
    image.mkdir(parents=True)
    shutil.copy(PROJECT / "docker" / "synthesise" / "requirements.lock", image)
    (image / "programs").write_text("ghdl\nyosys\n")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return LocalEngine(tmp_path, tmp_path / "environments")


def install(folder: Path, *names: str, text: str = "#!/bin/sh\n") -> str:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return str(folder)


def test_an_image_whose_programs_are_missing_is_blocked_with_their_names(engine: LocalEngine, tmp_path: Path) -> None:
    assert engine.blocked("synthesise") == "ghdl, yosys are not installed (the local engine cannot bring them)"
    install(tmp_path / "bin", "ghdl")
    assert engine.blocked("synthesise") == "yosys is not installed (the local engine cannot bring it)"
    install(tmp_path / "bin", "yosys")
    assert engine.blocked("synthesise") is None


def test_another_program_is_another_recipe(
    engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes = [engine.recipe("synthesise")]
    for folder, text in (("one", "#!/bin/sh\n"), ("same", "#!/bin/sh\n"), ("other", "#!/bin/sh\n# newer\n")):
        monkeypatch.setenv("PATH", install(tmp_path / folder, "ghdl", "yosys", text=text))
        recipes.append(engine.recipe("synthesise"))
    assert "programs" not in recipes[0]
    assert recipes[1] == recipes[2] != recipes[3]


def test_images_of_python_packages_need_no_programs() -> None:
    engine = LocalEngine(PROJECT, PROJECT / ".coralline" / "environments")
    assert engine.blocked("train") is None
    assert (PROJECT / "docker" / "compile" / "programs").read_text().split() == ["edgetpu_compiler"]
