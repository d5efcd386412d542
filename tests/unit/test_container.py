"""The packed container: nothing is lost, no damage goes unseen, and files that lie cost no more than they weigh."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.container.codes import ODD, WHOLE, WIDTHS, pack, packed_bytes, unpack
from stages.container.file import CHECKSUM, HEAD, MAGIC, TENSOR, Container, Tensor, read, write
from stages.container.network import packed, restored, sizes
from stages.tflite.flat import MalformedFile
from stages.tflite.model import read_model
from stages.tflite.sizes import sizes as sizes_of_file

INT8 = (Path(__file__).parent.parent / "fixtures" / "blobs" / "ptq-int8" / "model.tflite").read_bytes()


def codes_of(bits: int) -> st.SearchStrategy[int]:
    if bits == ODD:
        return st.sampled_from([-3, -1, 1, 3])
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    bits = draw(st.sampled_from(WIDTHS))
    shape = tuple(draw(st.lists(st.integers(1, 4), max_size=3)))
    axis = draw(st.none() | st.integers(0, len(shape) - 1)) if shape else None
    count = int(np.prod(shape))
    codes = np.array(draw(st.lists(codes_of(bits), min_size=count, max_size=count)), np.int32).reshape(shape)
    scale = st.floats(2.0**-100, 2.0**100, width=32)
    wanted = 1 if axis is None else shape[axis]
    scales = np.array(draw(st.lists(scale, min_size=wanted, max_size=wanted)), np.float32)
    places = st.integers(0, 2**32 - 1)
    return Tensor(draw(st.text(max_size=8)), bits, axis, codes, scales, draw(places), draw(places))


containers = st.builds(
    lambda found, graph: Container(tuple(found), graph), st.lists(tensors(), max_size=4), st.binary()
)


def same(one: Container, other: Container) -> bool:
    def plain(tensor: Tensor) -> tuple[object, ...]:
        head = (tensor.name, tensor.bits, tensor.axis, tensor.codes_at, tensor.scales_at, tensor.codes.shape)
        return (*head, tensor.codes.tolist(), tensor.scales.tobytes())

    return one.graph == other.graph and [*map(plain, one.tensors)] == [*map(plain, other.tensors)]


def sealed(content: bytes) -> bytes:
    """Give bytes a checksum that is right, as somebody would who means harm."""
    return content + CHECKSUM.pack(zlib.crc32(content))


@given(containers)
def test_what_is_written_is_read_again(container: Container) -> None:
    assert same(read(write(container)), container)
    assert write(read(write(container))) == write(container)


@given(containers, st.data())
def test_every_changed_or_missing_byte_is_noticed(container: Container, data: st.DataObject) -> None:
    content = bytearray(write(container))
    place = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(MalformedFile):
        read(bytes(content[:place]))
    content[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(MalformedFile):
        read(bytes(content))


@given(containers, st.data())
def test_what_was_changed_on_purpose_is_refused_or_well_formed(container: Container, data: st.DataObject) -> None:
    body = bytearray(write(container)[: -CHECKSUM.size])
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(len(MAGIC), len(body) - 1))] = data.draw(st.integers(0, 255))
    content = sealed(bytes(body))
    with contextlib.suppress(MalformedFile):
        found = read(content)
        assert write(found) == content
        restored(found)
        sizes(found)


@given(st.lists(st.tuples(st.integers(0, 2**31), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_real_network_that_was_changed_on_purpose_is_refused_or_weighed(changes: list[tuple[int, int]]) -> None:
    body = bytearray(write(packed(INT8, {}))[: -CHECKSUM.size])
    for place, value in changes:
        body[len(MAGIC) + place % (len(body) - len(MAGIC))] = value
    with contextlib.suppress(MalformedFile):
        found = sizes(read(sealed(bytes(body))))
        assert min(found["payload_bytes"], found["overhead_bytes"]) >= 0


@given(st.binary(max_size=200))
def test_any_bytes_behind_the_mark_are_refused_or_well_formed(tail: bytes) -> None:
    with contextlib.suppress(MalformedFile):
        assert write(read(sealed(MAGIC + tail))) == sealed(MAGIC + tail)


@pytest.mark.parametrize("shape", [(2**32 - 1,), (2**32 - 1,) * 8, (65_536, 65_536), (0, 2**32 - 1)])
@pytest.mark.parametrize("bits", [2, 8, 32])
def test_a_small_file_that_claims_to_be_large_takes_no_memory(shape: tuple[int, ...], bits: int) -> None:
    head = TENSOR.pack(1, bits, 255, len(shape), 1, 0, 0) + b"a" + struct.pack("<%dI" % len(shape), *shape)
    content = sealed(HEAD.pack(MAGIC, 1, 0) + head + struct.pack("<f", 1.0) + bytes(64))
    tracemalloc.start()
    with pytest.raises(MalformedFile):
        read(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


def test_what_is_unpacked_stays_in_proportion_to_the_file() -> None:
    tensor = Tensor("a", 2, None, np.ones((1000, 1000), np.int32), np.ones(1, np.float32), 0)
    content = write(Container((tensor,), b""))
    tracemalloc.start()
    read(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(content) < 250_100
    assert peak < 80 * len(content)


def test_low_bits_come_first() -> None:
    assert pack(np.array([-3, -1, 1, 3, 3]), 2) == bytes([0b11_10_01_00, 0b11])
    assert pack(np.array([1, -1, -4]), 3) == bytes([0b00_111_001, 0b1])
    assert pack(np.array([-2]), 8) == bytes([0xFE])
    assert pack(np.array([-2]), WHOLE) == bytes([0xFE, 0xFF, 0xFF, 0xFF])


@pytest.mark.parametrize(("bits", "code"), [(2, 0), (2, 5), (3, 4), (8, 128), (32, 2**31)])
def test_a_code_that_the_width_does_not_have_is_not_written(bits: int, code: int) -> None:
    with pytest.raises(ValueError, match="do not lie within"):
        pack(np.array([code]), bits)


def test_bits_behind_the_last_code_must_be_zero() -> None:
    with pytest.raises(MalformedFile, match="behind the last"):
        unpack(bytes([0b100]), 1, 2)
    assert packed_bytes(5, 3) == 2


def test_a_value_is_its_code_times_the_scale_of_its_channel() -> None:
    codes = np.array([[1, -3], [3, -1]], np.int32)
    found = Tensor("a", 2, 1, codes, np.array([0.5, 2], np.float32), 0).values()
    assert found.dtype == np.float32
    assert found.tolist() == [[0.5, -6], [1.5, -2]]


def test_a_network_comes_back_to_the_byte_and_is_weighed_as_its_file_is() -> None:
    container = packed(INT8, {})
    assert restored(container) == INT8
    assert len(container.graph) < len(INT8)
    found, wanted = sizes(container), sizes_of_file(read_model(INT8))
    assert found == wanted


def test_what_is_not_full_int8_is_not_packed() -> None:
    floats = (Path(__file__).parent.parent / "fixtures" / "blobs" / "float32" / "model.tflite").read_bytes()
    with pytest.raises(MalformedFile, match="only full int8"):
        packed(floats, {})
