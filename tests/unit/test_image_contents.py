"""What an image holds is read from its files: Debian's records, the wheels' metadata, a vendor's list."""

from __future__ import annotations

import ast
import importlib.util
import json
from typing import TYPE_CHECKING

import pytest

from coralline.catalogue import PROJECT
from coralline.errors import ImageError
from coralline.images import sbom

if TYPE_CHECKING:
    from pathlib import Path

STATUS = """Package: b
Status: install ok installed
Architecture: amd64
Source: b-source (1.0)
Version: 1:2.0-1+deb12u1
Description: one line
 Version: of nothing

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: a
Status: install ok installed
Architecture: all
Version: 3
"""
COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Files: *
License: GPL-2+
 Whole text.

Files: x
License: Expat
"""


def contents() -> object:
    spec = importlib.util.spec_from_file_location("contents", PROJECT / "docker" / "contents.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path: Path) -> Path:
    def write(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    write("etc/os-release", 'NAME="Debian"\nVERSION_CODENAME=bookworm\n')
    write("var/lib/dpkg/status", STATUS)
    write("var/lib/dpkg/status.d/unpacked", "Package: unpacked\nArchitecture: amd64\nVersion: 4-1\nDescription: x\n")
    write("usr/share/doc/a/copyright", "see /usr/share/common-licenses/GPL-2, or /usr/share/common-licenses/LGPL-2.1.")
    write("usr/share/doc/b/copyright", COPYRIGHT)
    site = "opt/coralline/site"
    write(f"{site}/one-1.0.dist-info/METADATA", "Name: One_Package\nVersion: 1.0\nLicense-Expression: MIT\n")
    write(
        f"{site}/two-2.0.dist-info/METADATA",
        "Name: two\nVersion: 2.0\nLicense: The whole\n  text of a licence\n"
        "Classifier: License :: OSI Approved :: BSD License\nClassifier: Topic :: Other\n",
    )
    write("opt/coralline/vendor.json", json.dumps({"x.deb": {"pin": "md5:0", "sha256": "ab"}}))
    return tmp_path


def test_packages_wheels_and_vendor_s_files_are_told_with_their_licences(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contents().main(root)  # type: ignore[attr-defined]
    told = json.loads(capsys.readouterr().out)
    assert told["release"] == "bookworm"
    assert [(p["name"], p["version"], p["source"], p["licences"]) for p in told["packages"]] == [
        ("a", "3", "a", ["GPL-2", "LGPL-2.1"]),
        ("b", "1:2.0-1+deb12u1", "b-source", ["Expat", "GPL-2+"]),
        ("unpacked", "4-1", "unpacked", []),
    ]
    assert told["wheels"] == [
        {"name": "one-package", "version": "1.0", "expression": "MIT", "licences": []},
        {"name": "two", "version": "2.0", "expression": None, "licences": ["BSD License"]},
    ]
    assert told["vendor"] == {"x.deb": {"pin": "md5:0", "sha256": "ab"}}


def test_a_lock_s_versions_and_hashes_are_read() -> None:
    text = (
        f"One_Package==1.0 ; python_version < '4' \\\n    --hash=sha256:{'a' * 64} \\\n    --hash=sha256:{'b' * 64}\n"
    )
    text += f"    # via x\ntwo[extra]==2.0 \\\n    --hash=sha256:{'c' * 64}\n"
    assert sbom.locked(text) == {"one-package": ("1.0", ["a" * 64, "b" * 64]), "two": ("2.0", ["c" * 64])}


def test_an_image_that_holds_something_else_than_its_lock_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"one==1.0 \\\n    --hash=sha256:{'a' * 64}\ntwo==2.0 --hash=sha256:{'b' * 64}\n")
    one, two = ({"name": name, "version": version} for name, version in (("one", "1.0"), ("two", "2.1")))
    with pytest.raises(ImageError, match="the image x does not hold what its lock says: two"):
        sbom._give_hashes({"wheels": [one, two], "vendor": {}}, "x", lock)
    two["version"] = "2.0"
    told = {"wheels": [one, two], "vendor": {}}
    sbom._give_hashes(told, "x", lock)
    assert told["wheels"] == [one | {"hashes": ["a" * 64]}, two | {"hashes": ["b" * 64]}]


def test_the_oldest_python_of_an_image_reads_it() -> None:
    ast.parse((PROJECT / "docker" / "contents.py").read_text(), feature_version=(3, 9))
