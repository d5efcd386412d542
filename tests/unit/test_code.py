from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from fakes import spec

from coralline.catalogue import PROJECT, specs
from coralline.code import Code

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "stages/__init__.py": "",
        "stages/shared.py": "import json",
        "stages/unused.py": "",
        "stages/paint/__init__.py": "",
        "stages/paint/__main__.py": "from stages.paint import brush\nfrom stages import shared\n",
        "stages/paint/brush.py": "from .colour import red\n",
        "stages/paint/colour.py": "red = 1",
        "stages/paint/other.py": "",
        "stages/paint/table.json": "{}",
        "stages/models/deep_net.py": "",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        os.utime(tmp_path / path, ns=(10**18, 10**18))
    return tmp_path


def test_code_is_what_is_imported_by_name_and_data_beside_it(root: Path) -> None:
    found = Code(root, root / "memory.json").of_step(spec("paint"), {})
    assert set(found) == {
        "stages/__init__.py",
        "stages/shared.py",
        "stages/paint/__init__.py",
        "stages/paint/__main__.py",
        "stages/paint/brush.py",
        "stages/paint/colour.py",
        "stages/paint/table.json",
    }


def test_patterns_follow_the_parameters(root: Path) -> None:
    found = Code(root, root / "memory.json").of_step(
        spec("paint", code=("stages/models/{model}.py",)), {"model": "deep-net"}
    )
    assert "stages/models/deep_net.py" in found


def test_what_was_read_is_remembered_until_it_changes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coralline.code.FRESH_NS", 0)  # nobody can set back the time of a file's last change
    code = Code(root, root / "index" / "memory.json")
    before = code.of_step(spec("paint"), {})
    code.remember()
    assert "stages/paint/brush.py" in json.loads((root / "index" / "memory.json").read_text())["files"]
    assert Code(root, root / "index" / "memory.json").of_step(spec("paint"), {}) == before
    (root / "stages/paint/colour.py").write_text("red = 2")
    after = Code(root, root / "index" / "memory.json").of_step(spec("paint"), {})
    assert {path for path in after if after[path] != before.get(path)} == {"stages/paint/colour.py"}


def test_a_module_that_became_a_package_is_found_although_who_imports_it_is_unchanged(root: Path) -> None:
    code = Code(root, root / "memory.json")
    code.of_step(spec("paint"), {})
    code.remember()
    (root / "stages/paint/brush.py").unlink()
    (root / "stages/paint/brush").mkdir()
    (root / "stages/paint/brush/__init__.py").write_text("from stages.paint.colour import red\n")
    found = Code(root, root / "memory.json").of_step(spec("paint"), {})
    assert {"stages/paint/brush/__init__.py", "stages/paint/colour.py"} <= found.keys()
    assert "stages/paint/brush.py" not in found


@pytest.mark.parametrize("rubbish", ["", "[]", "{", '{"stages/paint/brush.py": 3}', "\x00"])
def test_a_spoilt_memory_is_only_forgotten(root: Path, rubbish: str) -> None:
    (root / "memory.json").write_text(rubbish)
    assert Code(root, root / "memory.json").of_step(spec("paint"), {})


@pytest.mark.parametrize("name", list(specs()))
def test_every_stage_has_its_main_and_contract_in_its_code(name: str, tmp_path: Path) -> None:
    of = specs()[name]
    parameters = {"model": "inceptionv3", "recipe": "ptq-int8", "runtime": "tflite-cpu", "source": "simulate"}
    found = Code(PROJECT, tmp_path / "memory.json").of_step(of, parameters)
    assert {f"stages/{name}/__main__.py", "stages/contract.py"} <= set(found)


def test_another_models_file_is_no_part_of_the_code(tmp_path: Path) -> None:
    found = Code(PROJECT, tmp_path / "memory.json").of_step(specs()["train"], {"model": "inceptionv3"})
    assert "stages/models/inceptionv3.py" in found
    assert "stages/models/densenet169.py" not in found
