"""The vendor's images against a stand-in for the vendor's hosts: real packages of the same names, with other content.

What the vendor itself publishes is not checked here: that happens wherever its hosts answer.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import ipaddress
import json
import shutil
import subprocess
import threading
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from coralline import daemon
from coralline.errors import ImageError
from coralline.images import Images, builder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(daemon.trouble() is not None, reason=f"no Docker: {daemon.trouble()}"),
    pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb to make packages with"),
]

COMPILER = "#!/bin/sh\necho Edge TPU Compiler version {}\n"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def ignore(_: dict[str, Any]) -> None:
    pass


@pytest.fixture
def publish(project: Path) -> Iterator[Callable[[str, dict[str, Path]], None]]:
    """Serve files where build containers reach this host, and point an image's lock there."""
    _, network = daemon.get("/networks/bridge")
    gateway = str(ipaddress.ip_network(network["IPAM"]["Config"][0]["Subnet"])[1])  # this host, as containers see it
    folder = project / "vendor"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer((gateway, 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def point(image: str, files: dict[str, Path]) -> None:
        lines = []
        for name, path in files.items():
            shutil.copy(path, folder / name)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            lines.append(f"sha256:{digest} {name} http://{gateway}:{server.server_port}/{name}\n")
        (project / "docker" / image / "vendor.lock").write_text("".join(lines))

    yield point
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def build(project: Path) -> Iterator[Callable[[str], str]]:
    built: list[str] = []

    def run(name: str) -> str:
        built.append(Images(project).build(name, ignore))
        return built[-1]

    yield run
    for image in built:
        subprocess.run([builder.client().program, "rmi", "--force", image], check=True, capture_output=True)


def package(folder: Path, name: str, files: dict[str, str]) -> Path:
    root = folder / name
    (root / "DEBIAN").mkdir(parents=True)
    control = (
        "Package: " + name,
        "Version: 16.0",
        "Architecture: amd64",
        "Maintainer: x <x@example.org>",
        "Description: x",
    )
    (root / "DEBIAN" / "control").write_text("\n".join(control) + "\n")
    for place, text in files.items():
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", str(root)], check=True, capture_output=True)
    return folder / f"{name}.deb"


def wheel(folder: Path, name: str, version: str) -> Path:
    path = folder / f"{name}-{version}-cp39-cp39-linux_x86_64.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", f"__version__ = {version!r}\n")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: absent\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp39-cp39-linux_x86_64\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def in_container(image: str, *command: str) -> str:
    confined = ("--network=none", "--read-only", "--tmpfs=/tmp")
    words = [builder.client().program, "run", "--rm", *confined, image, *command]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def test_the_compiler_s_image_holds_the_compiler_and_its_digest(
    publish: Callable[[str, dict[str, Path]], None], build: Callable[[str], str], tmp_path: Path
) -> None:
    made = package(
        tmp_path, "edgetpu-compiler", {"usr/bin/edgetpu_compiler": COMPILER.format("16.0.384591198"), "lib/x": ""}
    )
    publish("compile", {"edgetpu-compiler_16.0_amd64.deb": made})
    image = build("compile")
    assert in_container(image, "edgetpu_compiler") == "Edge TPU Compiler version 16.0.384591198\n"
    record = json.loads(in_container(image, "cat", "/opt/coralline/vendor.json"))
    assert record["edgetpu-compiler_16.0_amd64.deb"]["sha256"] == hashlib.sha256(made.read_bytes()).hexdigest()


def test_a_compiler_of_another_version_is_refused(
    publish: Callable[[str, dict[str, Path]], None], build: Callable[[str], str], tmp_path: Path
) -> None:
    made = package(tmp_path, "edgetpu-compiler", {"usr/bin/edgetpu_compiler": COMPILER.format("15.0.340273435")})
    publish("compile", {"edgetpu-compiler_16.0_amd64.deb": made})
    with pytest.raises(ImageError, match="the image compile cannot be built"):
        build("compile")


def test_the_edge_tpu_s_image_holds_the_runtime_and_the_wheels(
    project: Path, publish: Callable[[str, dict[str, Path]], None], build: Callable[[str], str], tmp_path: Path
) -> None:
    if Images(project)._base("benchmark-edgetpu").find() is None:
        pytest.skip("the base with Python 3.9 is not made here, because the vendor's hosts do not answer")
    library = {"usr/lib/x86_64-linux-gnu/libedgetpu.so.1.0": "x", "lib/udev/rules.d/60-libedgetpu1-std.rules": "x"}
    files = {
        "libedgetpu1-std_16.0_amd64.deb": package(tmp_path, "libedgetpu1-std", library),
        **{
            path.name: path
            for path in (wheel(tmp_path, "tflite_runtime", "2.5.0.post1"), wheel(tmp_path, "pycoral", "2.0.0"))
        },
    }
    publish("benchmark-edgetpu", files)
    image = build("benchmark-edgetpu")
    code = "import pycoral, tflite_runtime, numpy, sklearn; print(pycoral.__version__, tflite_runtime.__version__)"
    assert in_container(image, "python3", "-c", code) == "2.0.0 2.5.0.post1\n"
    assert "libedgetpu.so.1.0" in in_container(image, "ls", "/usr/lib/x86_64-linux-gnu/")
    assert in_container(image, "find", "/", "-xdev", "-name", "60-libedgetpu1-std.rules") == ""
