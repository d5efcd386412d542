"""An image as a file: the same bytes from the same layers, in Docker's layout and OCI's, and read back safely."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import tarfile
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coralline.errors import ImageError
from coralline.images import archive
from coralline.images.saved import Saved

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

EPOCH = 1735689600
PATIENT = settings(deadline=None)  # tests share a machine with whatever else runs
KNOWN = {
    "Architecture": "amd64",
    "Os": "linux",
    "Config": {"Env": ["A=b"], "Labels": {"x": "y"}, "Cmd": ["python3"], "Image": "sha256:0", "Hostname": "here"},
    "Created": "2026-11-21T20:00:00Z",
    "DockerVersion": "20.10.24",
    "RootFS": {"Type": "layers"},
}


def tar(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def layer(content: bytes) -> archive.Layer:
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return archive.Layer(digest=digest, size_bytes=len(content), open=lambda: io.BytesIO(content))


def configuration(layers: Iterable[archive.Layer]) -> bytes:
    return archive.normalised({**KNOWN, "RootFS": {"Layers": [one.digest for one in layers]}}, EPOCH)


def written(layers: list[archive.Layer], tag: str = "name:tag") -> bytes:
    out = io.BytesIO()
    archive.write(out, layers, configuration(layers), tag=tag, epoch=EPOCH)
    return out.getvalue()


def contents(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as made:
        return {name: made.extractfile(name).read() for name in made.getnames()}  # type: ignore[union-attr]


def plain(content: bytes) -> bytes:
    with contextlib.suppress(OSError, EOFError, zlib.error):
        return gzip.decompress(content)
    return content


def docker_save(folder: Path, *layers: bytes, links: bool = False, **changed: Any) -> Path:
    """An archive as Docker wrote it before version 25."""
    digests = ["sha256:" + hashlib.sha256(plain(one)).hexdigest() for one in layers]
    told = {"config": {"Env": []}, "rootfs": {"type": "layers", "diff_ids": digests}, "architecture": "amd64"}
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = {"Config": "c.json", "RepoTags": ["coralline-x:1"], "Layers": names} | changed
    path = folder / "saved.tar"
    with tarfile.open(path, "w") as made:
        for number, (name, content) in enumerate(zip(names, layers, strict=True)):
            entry = tarfile.TarInfo(name)
            if links and number:
                entry.type, entry.linkname = tarfile.SYMTYPE, "../0/layer.tar"
                made.addfile(entry)
            else:
                entry.size = len(content)
                made.addfile(entry, io.BytesIO(content))
        for name, document in (("c.json", told), ("manifest.json", [manifest])):
            content = json.dumps(document).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
    return path


@PATIENT
@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=4))
def test_the_same_layers_give_the_same_bytes(parts: list[bytes]) -> None:
    assert written([layer(part) for part in parts]) == written([layer(part) for part in parts])


@PATIENT
@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=4))
def test_every_blob_has_the_digest_of_its_name_and_all_that_is_named_is_there(parts: list[bytes]) -> None:
    found = contents(written([layer(part) for part in parts]))
    blobs = {name: content for name, content in found.items() if name.startswith("blobs/")}
    assert all(name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}" for name, content in blobs.items())
    (entry,) = json.loads(found["index.json"])["manifests"]
    manifest = json.loads(blobs["blobs/" + entry["digest"].replace(":", "/")])
    (docker,) = json.loads(found["manifest.json"])
    places = ["blobs/" + part["digest"].replace(":", "/") for part in (manifest["config"], *manifest["layers"])]
    assert places == [docker["Config"], *docker["Layers"]]
    sizes = [part["size"] for part in (manifest["config"], *manifest["layers"])]
    assert [len(blobs[place]) for place in places] == sizes
    assert json.loads(found["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}


def test_what_the_builder_and_its_clock_add_is_left_out() -> None:
    one = {**KNOWN, "RootFS": {"Layers": ["sha256:1"]}}
    two = {**one, "Created": "1999-01-01T00:00:00Z", "Config": {**KNOWN["Config"], "Image": "", "Hostname": "there"}}
    assert archive.normalised(one, EPOCH) == archive.normalised(two, EPOCH)
    other = {**one, "Config": {**KNOWN["Config"], "Env": ["A=c"]}}
    assert archive.normalised(one, EPOCH) != archive.normalised(other, EPOCH)


def test_a_layer_that_is_not_what_its_digest_says_is_refused() -> None:
    good = layer(b"good")
    bad = archive.Layer(digest=good.digest, size_bytes=4, open=lambda: io.BytesIO(b"evil"))
    with pytest.raises(ImageError, match="a layer is not what its digest says"):
        archive.write(io.BytesIO(), [bad], configuration([good]), tag="name:tag", epoch=EPOCH)


def test_the_file_s_own_time_does_not_count(tmp_path: Path) -> None:
    root = tmp_path / "root.tar"
    root.write_bytes(os.urandom(5000))
    first = written([archive.layer_of(root)])
    os.utime(root, (0, 0))
    assert written([archive.layer_of(root)]) == first


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    parts = [tar(a=b"1"), tar(b=b"2"), tar(a=b"1")]
    path = tmp_path / "image.tar"
    path.write_bytes(written([layer(part) for part in parts]))
    with Saved(path) as saved, saved.layers(tmp_path) as layers:
        assert saved.names == ["name:tag"]
        assert saved.digests == [layer(part).digest for part in parts]
        assert [one.open().read() for one in layers] == parts


@pytest.mark.parametrize("links", [False, True])
def test_archives_of_an_older_docker_are_read(tmp_path: Path, links: bool) -> None:
    part = tar(a=b"1")
    with Saved(docker_save(tmp_path, part, part, links=links)) as saved, saved.layers(tmp_path) as layers:
        assert [one.open().read() for one in layers] == [part, part]


def test_compressed_layers_are_unpacked_and_taken_away_again(tmp_path: Path) -> None:
    part = tar(a=b"1")
    path = docker_save(tmp_path, gzip.compress(part))
    with Saved(path) as saved:
        with saved.layers(tmp_path) as (one,), one.open() as file:
            assert (one.size_bytes, file.read()) == (len(part), part)
        assert list(tmp_path.iterdir()) == [path]


PACKED = gzip.compress(b"a layer" * 1000)


@pytest.mark.parametrize(
    "damaged", [PACKED[:-9], PACKED[:-5] + b"crc??", PACKED[:10] + b"\xff" * 20, PACKED[:2] + b"\x07"]
)
def test_a_damaged_compressed_layer_is_refused_in_words(tmp_path: Path, damaged: bytes) -> None:
    with Saved(docker_save(tmp_path, damaged)) as saved, pytest.raises(ImageError, match="a layer is damaged"):
        saved.layers(tmp_path).__enter__()
    assert len(list(tmp_path.iterdir())) == 1


def extended(size: int) -> bytes:
    """The header of a header: what follows belongs to the next member (pax(1))."""
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.XHDTYPE, size
    return entry.tobuf(tarfile.USTAR_FORMAT)


def test_headers_in_headers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(extended(0) * 2000 + tar(a=b"1"))
    with pytest.raises(ImageError, match="recursion"):
        Saved(path)


def test_a_header_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(tar(a=b"1")[:1024] + extended(7 << 30))
    os.truncate(path, 7 << 30)  # takes no room on the disk
    with pytest.raises(ImageError, match="a header of 7516192768 B"):
        Saved(path)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"Config": "../../etc/passwd"}, "it has no file '../../etc/passwd'"),
        ({"Layers": ["9/layer.tar"]}, "it has no file '9/layer.tar'"),
        ({"Layers": []}, "its configuration does not tell the layers"),
        ({"Layers": "0/layer.tar"}, "names no configuration, or no layers"),
        ({"Config": None}, "names no configuration"),
    ],
)
def test_a_manifest_that_lies_is_refused(tmp_path: Path, changed: dict[str, Any], why: str) -> None:
    with pytest.raises(ImageError) as caught:
        Saved(docker_save(tmp_path, tar(a=b"1"), **changed))
    assert why in caught.value.message


@PATIENT
@given(data=st.binary(max_size=2000))
def test_any_bytes_are_refused_in_words(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "image.tar"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"image\.tar is not an archive of an image"):
        Saved(path)


@PATIENT
@given(place=st.integers(min_value=0, max_value=8191), byte=st.integers(min_value=0, max_value=255))
def test_a_changed_byte_is_refused_in_words_or_changes_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    folder = tmp_path_factory.mktemp("changed")
    part = layer(tar(a=b"1"))
    data = bytearray(written([part]))
    data[place] = byte
    path = folder / "image.tar"
    path.write_bytes(data)
    try:
        with Saved(path) as saved, saved.layers(folder) as layers:
            archive.write(io.BytesIO(), layers, configuration([part]), tag="name:tag", epoch=EPOCH)
    except ImageError:
        pass
