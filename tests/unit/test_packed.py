"""Four-bit numbers in bytes: nothing is lost, in TFLite's order, and damaged lengths are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.tflite.flat import MalformedFile
from stages.tflite.packed import pack_int4, packed_bytes, unpack_int4

CODES = st.lists(st.integers(-8, 7), max_size=70)


@given(CODES)
def test_unpacking_gives_back_what_was_packed(codes: list[int]) -> None:
    packed = pack_int4(np.array(codes, np.int8))
    assert len(packed) == packed_bytes(len(codes), 4) == (len(codes) + 1) // 2
    assert unpack_int4(packed, len(codes)).tolist() == codes


def test_the_first_of_two_is_in_the_low_half() -> None:
    assert pack_int4(np.array([1, 2, -1, -8, 7], np.int8)) == bytes([0x21, 0x8F, 0x07])


@given(st.lists(st.integers(-8, 7), min_size=2, max_size=24).filter(lambda codes: len(codes) % 2 == 0))
def test_the_shape_is_of_no_account(codes: list[int]) -> None:
    flat = np.array(codes, np.int8)
    assert pack_int4(flat.reshape(2, -1)) == pack_int4(flat)


@given(CODES, st.integers(-40, 40).filter(bool))
def test_another_length_is_refused(codes: list[int], off: int) -> None:
    packed = pack_int4(np.array(codes, np.int8))
    wanted = len(codes) + 2 * off
    if wanted >= 0:
        with pytest.raises(MalformedFile):
            unpack_int4(packed, wanted)


@pytest.mark.parametrize("code", [-9, 8, 127, -128])
def test_what_four_bits_do_not_hold_is_refused(code: int) -> None:
    with pytest.raises(ValueError, match="four bits"):
        pack_int4(np.array([0, code], np.int8))
