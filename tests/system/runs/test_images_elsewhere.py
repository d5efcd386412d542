"""An image built at another site, and carried there in a file: the same bytes, by tools that are not ours too."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from coralline import daemon
from coralline.catalogue import PROJECT
from coralline.engines import HOME
from coralline.images import Images, archive, builder, digests, kept, sbom, verdicts
from coralline.images.built import EPOCH
from coralline.images.comparison import compare
from coralline.images.export import export
from coralline.images.saved import Saved
from coralline.images.verify import BEGUN, Verdict, Verification

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(daemon.trouble() is not None, reason=f"no Docker: {daemon.trouble()}")

SMALL = "report"


def run(*words: str, code: int = 0) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout


def rebuilt(verification: Verification) -> list[str]:
    """Names of the images that a verification has in the daemon now."""
    chosen = ("--format", "{{.Repository}}", "--filter", f"reference={verification.prefix}*")
    return run(builder.client().program, "images", *chosen).split()


@pytest.fixture(scope="module")
def image() -> digests.Digests:
    """The small image as this project has it in use."""
    images = Images(PROJECT, HOME / "images")
    images.build(SMALL, lambda _: None)
    found = digests.built(images, SMALL)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def saved(image: digests.Digests, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "image.tar"
    export(image.image, f"coralline-{SMALL}:tested", path)
    return path


def test_another_path_user_umask_and_hour_give_the_same_layers(image: digests.Digests, tmp_path: Path) -> None:
    """From nothing: base and packages, beside what was built here before, and what that site told of it."""
    told = tmp_path / "theirs.json"
    told.write_text(json.dumps(verdicts.document({SMALL: Verdict(image=image, compared=())})))
    events: list[dict[str, Any]] = []
    with Verification(Images(PROJECT, HOME / "images"), tmp_path, digests.read(told), "theirs") as verification:
        verdict = verification.verify(SMALL, events.append)
        assert any(name.endswith("-another-base") for name in rebuilt(verification))  # it was made from nothing too
    assert any(event["event"] == BEGUN for event in events)
    assert rebuilt(verification) == []
    assert {one.other for one in verdict.compared} == {"in use", "theirs"}
    packages = {package for one in verdict.compared for layer in one.differing for package in layer.packages}
    # Only where Debian has replaced a package since the base was made may a layer differ.
    assert [one.equal for one in verdict.compared] == [not packages] * 2, [*verdicts.remarks({SMALL: verdict})]
    assert daemon.image(image.image) is not None


def test_a_file_of_an_image_is_the_same_bytes_again_and_docker_reads_it(
    image: digests.Digests, saved: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.tar"
    digest = export(image.image, f"coralline-{SMALL}:tested", again)
    assert again.read_bytes() == saved.read_bytes()
    assert digest == "sha256:" + run("sha256sum", str(saved)).split()[0]
    again.unlink()
    docker = builder.client().program
    run(docker, "load", "--quiet", "--input", str(saved))
    try:
        found = daemon.image(f"coralline-{SMALL}:tested")
        assert found is not None
        assert tuple(found["RootFS"]["Layers"]) == image.layers
        assert found["Id"] == image.id
        code = "import jinja2; print(jinja2.__file__)"
        told = run(docker, "run", "--rm", "--network", "none", found["Id"], "python3", "-c", code)
        assert told.startswith("/opt/coralline/site/")
    finally:
        kept.remove(f"coralline-{SMALL}:tested")


def test_one_byte_of_one_file_of_another_site_s_image_is_named(
    image: digests.Digests, saved: Path, tmp_path: Path
) -> None:
    place, there = "opt/coralline/site/jinja2/__init__.py", tmp_path / "theirs.tar"
    with Saved(saved) as theirs, theirs.layers(tmp_path) as layers:
        layer = tmp_path / "layer.tar"
        with layers[1].open() as source, layer.open("wb") as file:
            shutil.copyfileobj(source, file)
        with tarfile.open(layer) as tar:
            offset = tar.getmember(place).offset_data
        with layer.open("r+b") as file:
            file.seek(offset)
            file.write(b"#")
        changed = [layers[0], archive.layer_of(layer)]
        told = kept.facts(image.image) | {"RootFS": {"Layers": [one.digest for one in changed]}}
        with there.open("wb") as file:
            archive.write(file, changed, archive.normalised(told, EPOCH), tag=f"coralline-{SMALL}:theirs", epoch=EPOCH)
    compared = compare(image, digests.read(there)[SMALL], "theirs", tmp_path)
    (line,) = verdicts.remarks({SMALL: Verdict(image=image, compared=(compared,))})
    assert line.startswith(f"{SMALL}, theirs: layer 2: /{place}: content, sha256 ")


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
def test_skopeo_finds_the_same_layers_in_both_layouts(image: digests.Digests, saved: Path, transport: str) -> None:
    told = json.loads(run("skopeo", "inspect", f"{transport}:{saved}"))
    assert tuple(told["Layers"]) == image.layers
    assert told["Created"] == "2025-01-01T00:00:00Z"


@pytest.mark.skipif(shutil.which("umoci") is None, reason="umoci is not installed")
def test_umoci_unpacks_the_layout(saved: Path, tmp_path: Path) -> None:
    layout, bundle = tmp_path / "layout", tmp_path / "bundle"
    with tarfile.open(saved) as archive:
        archive.extractall(layout, filter="data")
    run("umoci", "unpack", "--rootless", "--image", f"{layout}:coralline-{SMALL}:tested", str(bundle))
    assert (bundle / "rootfs" / "opt" / "coralline" / "site" / "jinja2").is_dir()


def test_a_bill_of_materials_is_valid_complete_and_the_same_bytes_again(image: digests.Digests) -> None:
    images = Images(PROJECT, HOME / "images")
    first, second = (sbom.bill(images, SMALL, HOME / "environments", print) for _ in range(2))
    assert first.text == second.text
    told = json.loads(first.text)
    purls = {part["purl"]: part for part in told["components"]}
    pins = sbom.locked(images.lock_path(SMALL).read_text())
    for name, (version, hashes) in pins.items():
        part = purls[f"pkg:pypi/{name}@{version}"]
        (reference,) = part["externalReferences"]
        assert sorted(entry["content"] for entry in reference["hashes"]) == sorted(hashes)
    debian = [purl for purl in purls if purl.startswith("pkg:deb/debian/")]
    assert len(debian) == len(image.packages)
    assert told["metadata"]["component"]["properties"][0]["value"] == image.layers[0]
    # The library's own judgement, once more: a document with a field that the schema does not know is refused.
    python = sbom.environment(HOME / "environments").python
    code = (
        "import sys; from cyclonedx.schema import SchemaVersion as V;"
        "from cyclonedx.validation.json import JsonStrictValidator as J;"
        "sys.exit(J(V.V1_6).validate_str(sys.stdin.read()) is not None)"
    )
    for text, expected in ((first.text, 0), (first.text.replace('"bomFormat"', '"bombFormat"'), 1)):
        done = subprocess.run([str(python), "-c", code], input=text, text=True, check=False)
        assert done.returncode == expected


def test_what_cannot_be_written_is_said_before_anything_is_lost(image: digests.Digests, tmp_path: Path) -> None:
    assert image.image
    words = [sys.executable, "-P", "-m", "coralline.front", str(PROJECT)]
    done = subprocess.run(
        [*words, "image.save", SMALL, "--to", str(tmp_path / "none" / "x.tar")],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(PROJECT), "PATH": "/usr/local/bin:/usr/bin:/bin:/sbin:/usr/sbin"},
    )
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
