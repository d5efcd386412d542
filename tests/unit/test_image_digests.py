"""What another site tells of its images is read with care, compared, and what differs is named."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coralline.commands import images as imagecommands
from coralline.errors import EngineError, ImageError, ProfileError
from coralline.images import archive, digests, verdicts
from coralline.images.comparison import INSTALLED, Compared, Differing, compare
from coralline.images.difference import Difference
from coralline.images.digests import Digests
from coralline.images.verify import AGAIN, BEGUN, Verdict, Verification

if TYPE_CHECKING:
    from pathlib import Path

EPOCH = 1735689600
PACKAGES = ("libc6=1", "python3=3")


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def image(name: str = "report", **changed: Any) -> Digests:
    facts = {"id": digest(b"id"), "layers": (digest(b"0"), digest(b"1")), "packages": PACKAGES, "way": "packages"}
    return Digests(name=name, **(facts | changed))


def compared(one: Digests, other: Digests, tmp_path: Path, label: str = AGAIN) -> Compared:
    return compare(one, other, label, tmp_path)


def saved(path: Path, content: bytes, name: str = "coralline-report:1") -> Path:
    """An archive as another site saves it, of a layer with one file."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as made:
        entry = tarfile.TarInfo("etc/made")
        entry.size = len(content)
        made.addfile(entry, io.BytesIO(content))
    layer = archive.Layer(
        digest=digest(tar.getvalue()), size_bytes=len(tar.getvalue()), open=lambda: io.BytesIO(tar.getvalue())
    )
    told = {"Architecture": "amd64", "Os": "linux", "Config": {}, "RootFS": {"Layers": [layer.digest]}}
    with path.open("wb") as file:
        archive.write(file, [layer], archive.normalised(told, EPOCH), tag=name, epoch=EPOCH)
    return path


def test_what_one_site_prints_another_reads(tmp_path: Path) -> None:
    path = tmp_path / "theirs.json"
    there = {name: Verdict(image=image(name), compared=()) for name in ("report", "train")}
    path.write_text(json.dumps(verdicts.document({**there, "compile": "no network"})))
    assert digests.read(path) == {name: verdict.image for name, verdict in there.items()}


def test_an_archive_is_read_like_a_site_s_answer(tmp_path: Path) -> None:
    path = saved(tmp_path / "image.tar", b"x")
    (found,) = digests.read(path).values()
    assert (found.name, len(found.layers), found.file) == ("report", 1, path)
    with pytest.raises(ImageError, match="holds no image of ours"):
        digests.read(saved(tmp_path / "other.tar", b"x", name="debian:bookworm"))


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told | {"schema": "coralline.run"},
        lambda told: told | {"version": 2},
        lambda told: told | {"images": None},
        lambda told: told | {"images": [{}]},
        lambda told: told | {"images": [told["images"][0] | {"layers": [1]}]},
        lambda told: told | {"images": [told["images"][0] | {"id": None}]},
    ],
)
def test_what_is_no_answer_of_a_site_is_refused(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "theirs.json"
    told = verdicts.document({"report": Verdict(image=image(), compared=())})
    path.write_text(json.dumps(change(told)))
    with pytest.raises(ImageError, match=r"theirs\.json is not what"):
        digests.read(path)


@settings(deadline=None)
@given(data=st.binary(max_size=300).map(lambda data: b"{" + data))
def test_any_bytes_are_refused_in_words(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "theirs.json"
    path.write_bytes(data)
    with pytest.raises(ImageError, match="is not what"):
        digests.read(path)


def test_a_file_that_is_not_there_is_the_user_s_error(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read"):
        digests.read(tmp_path / "none.json")


def test_the_same_layers_and_id_are_equal(tmp_path: Path) -> None:
    assert compared(image(), image(), tmp_path).equal
    assert not compared(image(), image(id=digest(b"other")), tmp_path).equal


def test_the_first_differing_file_of_two_archives_is_named(tmp_path: Path) -> None:
    one = digests.read(saved(tmp_path / "one.tar", b"here"))["report"]
    other = digests.read(saved(tmp_path / "other.tar", b"over"))["report"]
    told = compared(one, other, tmp_path)
    (differing,) = told.differing
    assert differing.layer == 1
    assert differing.file is not None
    assert differing.file.path == "/etc/made"
    assert not told.holds


def test_other_packages_explain_a_base_in_use_but_not_one_just_built(tmp_path: Path) -> None:
    other = image(layers=(digest(b"other"), digest(b"1")), packages=("libc6=2", "python3=3"))
    told = compared(image(), other, tmp_path, INSTALLED)
    assert told.differing[0].packages == ("libc6=1", "libc6=2")
    assert not told.equal
    assert told.holds
    assert not compared(image(), other, tmp_path, AGAIN).holds
    assert not compared(image(), image(layers=other.layers), tmp_path, INSTALLED).holds


def test_a_layer_more_is_a_difference(tmp_path: Path) -> None:
    more = image(layers=(*image().layers, digest(b"2")))
    assert [differing.layer for differing in compared(image(), more, tmp_path).differing] == [3]


def verdict(*told: Compared) -> dict[str, Verdict | str]:
    return {"report": Verdict(image=image(), compared=told), "compile": "no network"}


def test_a_table_has_a_line_for_each_part_and_names_what_differs() -> None:
    there = Difference(path="/etc/made", what="mode 644 and 600", files=2)
    unlike = Compared(other=AGAIN, same_id=False, differing=(Differing(layer=2, file=there, packages=()),))
    found = verdict(unlike, Compared(other=INSTALLED, same_id=True, differing=()))
    headers, rows = verdicts.table(found)
    assert headers == ["image", "part", "sha256", AGAIN, INSTALLED]
    assert rows == [
        ["report", "base", image().layers[0][7:19], "equal", "equal"],
        ["report", "packages", image().layers[1][7:19], "different", "equal"],
        ["report", "configuration", image().id[7:19], "different", "equal"],
    ]
    assert list(verdicts.remarks(found)) == [
        f"report, {AGAIN}: layer 2: /etc/made: mode 644 and 600 (and 1 more)",
        "compile: not built: no network",
    ]


def test_the_exit_code_is_that_of_the_worst() -> None:
    equal = Compared(other=AGAIN, same_id=True, differing=())
    verdicts.end(verdict(equal), None)
    verdicts.end(verdict(equal), {"report": image()})
    with pytest.raises(ImageError, match="not the same bytes: report"):
        verdicts.end(verdict(equal, Compared(other=INSTALLED, same_id=False, differing=())), None)
    with pytest.raises(ImageError, match="the other site tells nothing of report"):
        verdicts.end(verdict(equal), {"train": image("train")})


class Failing(Verification):
    """A verification of which one image ends badly."""

    def verify(self, name: str, progress: Any) -> Verdict:
        progress({"event": BEGUN})
        if name == "train":
            raise EngineError("no Docker daemon answers", hint="start it")
        return Verdict(image=image(name), compared=())


def test_what_was_found_of_other_images_is_not_lost_with_one_that_fails(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    verification = Failing(None, tmp_path, None)  # type: ignore[arg-type]
    found, trouble = imagecommands._verified(verification, ["dataset", "train", "report"], told.append)
    assert [name for name, one in found.items() if isinstance(one, Verdict)] == ["dataset", "report"]
    assert found["train"] == "no Docker daemon answers"
    assert list(trouble) == ["train"]
    assert [event["image"] for event in told] == ["dataset", "train", "report"]
