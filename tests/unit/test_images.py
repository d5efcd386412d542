from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from coralline.catalogue import PROJECT
from coralline.errors import ProfileError
from coralline.images import UNMADE, Images, _context, built
from coralline.images.failures import VALID_S
from coralline.images.locks import changes, pins

if TYPE_CHECKING:
    from pathlib import Path

HERE = Images(PROJECT)
LOCKS = sorted((PROJECT / "docker").glob("*/requirements.lock"))
REQUIREMENTS = sorted((PROJECT / "docker").glob("*/requirements.in"))
VENDORS = sorted((PROJECT / "docker").glob("*/vendor.lock"))
DOCKERFILES = [*sorted((PROJECT / "docker").glob("*/Dockerfile")), PROJECT / "docker" / "stage.Dockerfile"]


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(PROJECT / "docker", tmp_path / "docker")
    return tmp_path


def made(project: Path, suite: str, identity: str) -> None:
    from coralline.images.bases import Base

    home = project / ".coralline" / "images"
    base = Base(project / "docker" / "base" / f"{suite}.toml", home)
    built.save(home / f"base-{suite}.json", {"recipe_digest": base.recipe, "identity": identity, "id": "x", "way": "y"})


def test_every_stage_has_an_image() -> None:
    assert set(HERE.names()) == {
        *("benchmark", "benchmark-edgetpu", "benchmark-litert", "compile", "convert"),
        *("dataset", "evolve", "report", "synthesise", "train", "train-gpu"),
    }


def test_images_for_a_gpu_are_unusual_where_none_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coralline.devices.missing", lambda need: f"no {need}")
    assert HERE.usual() == [name for name in HERE.names() if name != "train-gpu"]


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("train/requirements.lock", "lock"),
        ("stage.Dockerfile", "dockerfile"),
        ("install.sh", "dockerfile"),
    ],
)
def test_a_changed_file_changes_its_part_of_the_recipe_and_no_other(project: Path, file: str, part: str) -> None:
    before = Images(project).recipe("train")
    path = project / "docker" / file
    path.write_text(path.read_text() + "# changed\n")
    after = Images(project).recipe("train")
    assert {name for name in before if before[name] != after[name]} == {part}


def test_a_vendor_s_lock_is_a_part_of_its_own(project: Path) -> None:
    before = Images(project).recipe("compile")
    path = project / "docker" / "compile" / "vendor.lock"
    path.write_text(path.read_text() + "# changed\n")
    after = Images(project).recipe("compile")
    assert {name for name in before if before[name] != after[name]} == {"vendor"}


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("synthesise/debian.lock", "debian"),
        ("synthesise/requirements.lock", "lock"),
        ("synthesise/nextpnr.py", "dockerfile"),
        ("debian.py", "dockerfile"),
    ],
)
def test_all_that_a_dockerfile_copies_is_a_part_of_the_recipe(project: Path, file: str, part: str) -> None:
    before = Images(project).recipe("synthesise")
    path = project / "docker" / file
    path.write_text(path.read_text() + "# changed\n")
    after = Images(project).recipe("synthesise")
    assert {name for name in before if before[name] != after[name]} == {part}


def test_what_a_recipe_is_made_of_exists() -> None:
    for name in HERE.names():
        assert all(path.is_file() for path in HERE._helpers(name)), name


def test_debian_packages_are_pinned_by_version_and_digest() -> None:
    lines = (PROJECT / "docker" / "synthesise" / "debian.lock").read_text().splitlines()
    entries = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64} [a-z0-9.+-]+=\S+", line) for line in entries)
    assert len({line.partition(" ")[2].partition("=")[0] for line in entries}) == len(entries) > 8


def test_the_base_enters_the_recipe_once_it_is_made(project: Path) -> None:
    images = Images(project)
    assert images.recipe("report")["base"] == UNMADE
    made(project, "bookworm", "sha256:0123")
    assert images.recipe("report")["base"] == "sha256:0123"
    assert images.recipe("benchmark-edgetpu")["base"] == UNMADE


def test_a_base_of_another_recipe_does_not_count(project: Path) -> None:
    made(project, "bookworm", "sha256:0123")
    path = project / "docker" / "base" / "clean.sh"
    path.write_text(path.read_text() + "# changed\n")
    assert Images(project).recipe("report")["base"] == UNMADE


def test_the_host_s_certificates_reach_the_context_but_not_the_recipe(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    without = Images(project).recipe("train")
    with _context(project / "docker") as context:
        assert not (context / "ca.crt").exists()
    bundle = tmp_path / "bundle.crt"
    bundle.write_text("certificates")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    with _context(project / "docker") as context:
        assert (context / "ca.crt").read_text() == "certificates"
    assert Images(project).recipe("train") == without


def test_an_unreachable_vendor_is_not_asked_again_for_an_hour(project: Path) -> None:
    clock = Clock()
    assert Images(project, clock=clock).unavailable("compile") is None
    _fail(project, clock)
    clock.now += VALID_S - 1
    assert Images(project, clock=clock).unavailable("compile") == "no network"
    clock.now += 2
    assert Images(project, clock=clock).unavailable("compile") is None


def test_a_run_that_was_told_of_an_unreachable_vendor_keeps_to_it(project: Path) -> None:
    clock = Clock()
    images = Images(project, clock=clock)
    failed = _fail(project, clock)
    assert images.unavailable("compile") == "no network"
    clock.now += 10 * VALID_S  # trainings can take so long; then its step must not fail where it was blocked
    assert images.unavailable("compile") == "no network"
    failed.unlink()  # as when somebody builds it meanwhile
    assert images.unavailable("compile") is None


def _fail(project: Path, clock: Clock) -> Path:
    path = project / ".coralline" / "images" / "compile.failed.json"
    digest = Images(project)._failure_recipe("compile")
    built.save(path, {"recipe_digest": digest, "reason": "no network", "time": clock.now})
    return path


def test_a_new_recipe_is_tried_at_once(project: Path) -> None:
    clock = Clock()
    _fail(project, clock)
    images = Images(project, clock=clock)
    assert images.unavailable("compile") == "no network"
    path = project / "docker" / "compile" / "vendor.lock"
    path.write_text(path.read_text() + "# changed\n")
    assert Images(project, clock=clock).unavailable("compile") is None


def test_an_unknown_image_is_named_with_its_neighbour() -> None:
    with pytest.raises(ProfileError) as caught:
        HERE.check("trian")
    assert "did you mean 'train'?" in caught.value.hint


def test_planning_with_images_loads_nothing_heavy() -> None:
    code = (
        "import sys; from coralline.images import Images; Images().recipe('train'); "
        "heavy = ('docker', 'subprocess', 'tarfile', 'tomllib', 'socket', 'urllib.request');"
        "print([name for name in heavy if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_dockerfiles_build_with_any_builder(path: Path) -> None:
    text = path.read_text()
    instructions = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    assert "# syntax" not in text
    assert "<<" not in instructions
    assert "--mount" not in instructions
    assert "--network" not in instructions
    if path.parent.name != "base":
        assert re.search(r"^ARG BASE=coralline-base:(bookworm|bullseye)$", text, re.MULTILINE)
        last = instructions.rpartition("FROM ")[2]  # only copies: a RUN would put today's date into the layer
        assert re.fullmatch(r"\$\{BASE\}\nCOPY --from=build /out/ /\n?", last)


@pytest.mark.parametrize("path", [*LOCKS, *REQUIREMENTS], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_lock_names_a_folder_an_index_or_a_stranger(path: Path) -> None:
    text = "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    assert not re.search(r"file:|find-links|index-url|trusted-host|^-[^-]|\s@\s|://", text, re.MULTILINE)
    # The index's pycoral is another program than the vendor's; the Edge TPU's runtime comes from the vendor.
    names = {
        re.split(r"[\s=<>!~;\[]", line)[0].lower().replace("_", "-") for line in text.splitlines() if line[:1].isalnum()
    }
    assert not names & {"pycoral", "edgetpu", "libedgetpu", "tf-keras"}


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.parent.name)
def test_every_locked_requirement_has_one_version_and_hashes(path: Path) -> None:
    text = "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    entries = re.sub(r"\s*\\\n\s*", " ", text).split("\n")
    assert entries
    for entry in filter(None, entries):
        assert re.match(
            r"^[A-Za-z0-9._-]+(\[[a-z,-]+\])?==\S+( ;.*?)?( --hash=sha256:[0-9a-f]{64})+$", entry.strip()
        ), entry


def test_the_gpu_image_has_the_vendor_s_cuda_packages_and_the_others_have_none() -> None:
    for path in LOCKS:
        cuda = [name for name in pins(path.read_text()) if name.startswith("nvidia-")]
        assert bool(cuda) == (path.parent.name == "train-gpu"), path.parent.name


@pytest.mark.parametrize("path", VENDORS, ids=lambda path: path.parent.name)
def test_vendor_files_are_pinned_by_digest_and_fetched_over_tls(path: Path) -> None:
    lines = [line.split() for line in path.read_text().splitlines() if line and not line.startswith("#")]
    for pin, name, *urls in lines:
        expected = r"md5:[0-9a-f]{32}" if name.startswith("edgetpu-compiler") else r"sha256:[0-9a-f]{64}"
        assert re.fullmatch(expected, pin), name
        assert urls
        assert all(url.startswith("https://") for url in urls)


def test_what_changed_in_a_lock_is_said_by_package() -> None:
    before = pins("numpy==1.26.3 \\\n    --hash=sha256:aa\nsix==1.17.0\n")
    after = pins("numpy==1.26.4 \\\n    --hash=sha256:bb\nPillow==11.3.0\n")
    told = ["numpy 1.26.3 -> 1.26.4", "pillow (absent) -> 11.3.0", "six 1.17.0 -> (absent)"]
    assert [*map(str, changes(before, after))] == told
