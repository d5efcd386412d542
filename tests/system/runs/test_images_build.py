"""Images built for real: the same layers from any builder, nothing of this host inside, failures with their reason."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from coralline import daemon
from coralline.errors import ImageError
from coralline.images import Images, builder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(daemon.trouble() is not None, reason=f"no Docker: {daemon.trouble()}")

SMALL = "report"


def docker(*words: str) -> str:
    done = subprocess.run([builder.client().program, *words], capture_output=True, text=True, check=True)
    return done.stdout


def ignore(_: dict[str, Any]) -> None:
    pass


@pytest.fixture
def _tidy() -> Iterator[None]:
    """Take away the images that a test built, and give the project's own its name again."""
    title = f"label=org.opencontainers.image.title=coralline-{SMALL}"
    own = daemon.image(Images().build(SMALL, ignore))
    assert own is not None
    before = set(docker("images", "--quiet", "--no-trunc", "--filter", title).split())
    yield
    for name in own["RepoTags"]:
        docker("tag", own["Id"], name)
    for image in set(docker("images", "--quiet", "--no-trunc", "--filter", title).split()) - before:
        docker("rmi", "--force", image)
    docker("image", "prune", "--force", "--filter", "label=coralline.base")  # what the old builder leaves


@pytest.mark.usefixtures("_tidy")
def test_builds_from_nothing_give_the_same_layers_and_id_with_both_builders(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = Images(project)
    layers, ids = [], set()
    for kind in (builder.client().builder, "classic"):
        client = builder.Client(program=builder.client().program, builder=kind)
        monkeypatch.setattr(builder, "client", lambda client=client: client)
        built = daemon.image(images.build(SMALL, ignore, fresh=True))
        assert built is not None
        layers.append(built["RootFS"]["Layers"])
        ids.add(built["Id"])
    own = daemon.image(Images().build(SMALL, ignore))
    assert own is not None
    assert layers == [own["RootFS"]["Layers"]] * 2
    assert len(ids) == 1


def test_nothing_of_the_build_stays_in_the_image() -> None:
    image = Images().build(SMALL, ignore)
    search = ("find", "/", "-xdev", "-name", "ca.crt", "-o", "-path", "/build")
    assert docker("run", "--rm", "--network", "none", image, *search) == ""
    told = str(daemon.image(image)) + docker("history", "--no-trunc", image)
    assert not re.search(r"PIP_INDEX_URL=|[Pp]assword|_proxy=|/root|/tmp", told)


def test_packages_come_compiled_because_a_container_cannot_write() -> None:
    image = Images().build(SMALL, ignore)
    code = "import numpy, os; assert os.path.exists(numpy.__cached__); print(numpy.__file__)"
    told = docker("run", "--rm", "--network", "none", "--read-only", image, "python3", "-c", code)
    assert told.strip() == "/opt/coralline/site/numpy/__init__.py"


def test_what_the_base_holds_is_recorded() -> None:
    images = Images()
    images.build(SMALL, ignore)
    base = images._base(SMALL).recorded()
    assert base is not None
    assert {"python3", "ca-certificates"} <= {package.split("=")[0] for package in base["packages"]}
    assert base["way"] in ("image", "packages")
    assert images.recipe(SMALL)["base"] == base["identity"]
    assert images.identity(SMALL)["base_way"] == base["way"]


def test_a_lost_record_is_found_again_through_the_image_s_label(tmp_path: Path) -> None:
    image = Images().build(SMALL, ignore)
    anew = Images(home=tmp_path)
    assert anew.recorded(SMALL) is None
    assert anew.find(SMALL) == image
    assert anew.recorded(SMALL) is not None


def test_a_base_is_never_mistaken_for_an_image_that_stands_on_it(tmp_path: Path) -> None:
    image = Images().build(SMALL, ignore)
    base = Images(home=tmp_path)._base(SMALL).find()
    assert base is not None
    assert base["id"] != image
    assert len(base["layers"]) == 1


@pytest.mark.parametrize("name", ["compile", "benchmark-edgetpu"])
def test_an_unreachable_vendor_is_said_within_seconds_and_remembered(project: Path, name: str) -> None:
    lock = project / "docker" / name / "vendor.lock"
    lock.write_text(re.sub(r"https://[^/]+/", "https://vendor.invalid/", lock.read_text()))
    images = Images(project)
    started = time.monotonic()
    with pytest.raises(ImageError, match=r"cannot be fetched from vendor\.invalid") as caught:
        images.build(name, ignore)
    assert time.monotonic() - started < 30
    assert images.unavailable(name) == f"{caught.value.message}; `./run image.build {name}` asks again"
    assert images.find(name) is None


def test_a_package_that_is_not_the_locked_one_is_refused(project: Path) -> None:
    lock = project / "docker" / SMALL / "requirements.lock"
    lock.write_text(re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, lock.read_text()))
    with pytest.raises(ImageError, match="a package is not the one that the lock pins"):
        Images(project).build(SMALL, ignore)


def test_two_builders_at_once_end_with_one_image(project: Path) -> None:
    Images().build(SMALL, ignore)
    ids: list[str] = []
    threads = [threading.Thread(target=lambda: ids.append(Images(project).build(SMALL, ignore))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 2
    assert len(set(ids)) == 1
