"""Files of arrays: the same bytes for the same arrays, and nothing but an InputError for any other bytes."""

from __future__ import annotations

import io
import pickle
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.arrays import Expected, read_arrays, write_arrays
from stages.contract import InputError

if TYPE_CHECKING:
    from pathlib import Path

WANTED = {"a": Expected("uint16", 2), "b": Expected("uint64", 1)}
ARRAYS: dict[str, Any] = {"a": np.arange(6, dtype=np.uint16).reshape(2, 3), "b": np.array([2**64 - 1], np.uint64)}
ANY_TIME = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def read(path: Path, most: int = 10_000) -> dict[str, Any]:
    return read_arrays(path, WANTED, most, "again")


def member(content: bytes, name: str = "a.npy") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
        archive.writestr("b.npy", npy(ARRAYS["b"]))
    return file.getvalue()


def npy(array: Any, *, allow_pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, (1, 0), allow_pickle=allow_pickle)
    return file.getvalue()


def test_what_was_written_is_read_and_by_numpy_too(tmp_path: Path) -> None:
    write_arrays(tmp_path / "x.npz", ARRAYS)
    found, plain = read(tmp_path / "x.npz"), np.load(tmp_path / "x.npz")
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)
        assert np.array_equal(plain[name], array)


def test_the_same_arrays_are_the_same_bytes(tmp_path: Path) -> None:
    write_arrays(tmp_path / "x.npz", ARRAYS)
    write_arrays(tmp_path / "y.npz", dict(reversed(ARRAYS.items())))
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()


@ANY_TIME
@given(st.data())
def test_damage_is_told_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    write_arrays(tmp_path / "x.npz", ARRAYS)
    content = bytearray((tmp_path / "x.npz").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "x.npz").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        found = read(tmp_path / "x.npz")
    except InputError as error:
        assert error.remedy == "again"  # noqa: PT017 - either is right, and what it is must hold
    else:
        assert {name: (array.dtype, array.ndim) for name, array in found.items()} == {
            name: (np.dtype(one.kind), one.axes) for name, one in WANTED.items()
        }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (member(npy(ARRAYS["a"].astype(np.int16))), "int16 with 2 axes, expected uint16"),
        (member(npy(ARRAYS["a"].ravel())), "1 axes, expected uint16 with 2 axes"),
        (member(npy(np.asfortranarray(ARRAYS["a"]))), "expected uint16"),
        (member(npy(ARRAYS["a"]).replace(b"(2, 3)", b"(9, 9)")), "not the bytes that its shape says"),
        (member(npy(ARRAYS["a"]).replace(b"(2, 3)", b"(-2,3)")), "not the bytes that its shape says"),
        (member(npy(np.zeros((200, 200), np.uint16))), "more than 10000 bytes"),
        (member(npy(np.array([[{}]], object), allow_pickle=True)), "array a"),
        (member(pickle.dumps({})), "magic"),
        (member(npy(ARRAYS["a"]), "other.npy"), "no item named 'a.npy'"),
        (b"", "not a zip file"),
    ],
)
def test_what_is_not_expected_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError, match="(?i)" + message):
        read(tmp_path / "x.npz")


def test_a_file_of_very_many_arrays_is_refused(tmp_path: Path) -> None:
    write_arrays(tmp_path / "x.npz", {str(number): ARRAYS["b"] for number in range(65)})
    with pytest.raises(InputError, match="more than 64 arrays"):
        read(tmp_path / "x.npz")


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_array_of_another_kind_is_refused(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, array in ARRAYS.items():
            archive.writestr(f"{name}.npy", npy(array))
    content = bytearray(path.read_bytes())
    content[60:100] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(InputError, match="array a is neither stored nor deflated"):
        read(path)
