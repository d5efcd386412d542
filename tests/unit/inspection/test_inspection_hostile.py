"""Compiled files that lie, are damaged, or ask for endless work."""

from __future__ import annotations

import contextlib
import json
import resource
import struct
import time
from typing import TYPE_CHECKING

import pytest
from compiledfiles import COMPILED, PAIR, RUNNING, changed, executable, package, payload, tflite
from flatfiles import flat, flex
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.contract import InputError
from stages.edgetpu.compiled.digest import masked_digest
from stages.edgetpu.compiled.executable import STAND_ALONE
from stages.edgetpu.compiled.inspection import inspect
from stages.tflite.flat import MOST_WORK, Buffer, MalformedFile
from stages.tflite.flex import read_map

if TYPE_CHECKING:
    from collections.abc import Callable


SMALL = tflite(payload(PAIR, PAIR))
edits = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 3000), st.integers(-3000, -1), st.integers(0, len(COMPILED) - 1)),
        st.one_of(
            st.binary(min_size=1, max_size=8),
            st.sampled_from([b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\xff\xff\xff\xff", b"\xf0\xff\xff\xff", bytes(4)]),
        ),
    ),
    max_size=6,
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=1000)
@given(seed=st.sampled_from([COMPILED, SMALL]), changes=edits, cut=st.one_of(st.just(0), st.integers(0, 3000)))
def test_damaged_files_are_read_or_refused_and_nothing_else(
    seed: bytes, changes: list[tuple[int, bytes]], cut: int
) -> None:
    content = seed[: len(seed) - cut]
    damaged = changed(content, [(place % max(len(content), 1), new) for place, new in changes])
    with contextlib.suppress(MalformedFile, InputError):
        json.dumps(inspect(damaged), allow_nan=False)
    with contextlib.suppress(MalformedFile):
        masked_digest(damaged)


@settings(max_examples=300, deadline=1000)
@given(changes=edits, cut=st.integers(0, 40))
def test_damaged_maps_are_read_or_refused_and_nothing_else(changes: list[tuple[int, bytes]], cut: int) -> None:
    seed = flex({"1": 0, "4": b"program", "6": (18, 17), "7": (b"a", b"bc"), "9": -5})
    content = seed[: len(seed) - cut]
    damaged = changed(content, [(place % len(content), new) for place, new in changes])
    with contextlib.suppress(MalformedFile):
        read_map(Buffer(damaged))


BOMBS: dict[str, Callable[[], bytes]] = {
    "names": lambda: payload(package(executable(field_8=[{0: b"n" * 60_000}] * 40))),
    "hints": lambda: payload(package(executable(field_7={0: [{0: ("B", 4)}] * 30_000}))),
    "executables": lambda: payload(package(*[executable(STAND_ALONE)] * 5_000)),
    "packages": lambda: payload(*[PAIR] * 3_000),
    "keys": lambda: flex({f"k{number}": number for number in range(20_000)}),
    "numbers": lambda: flex({"4": PAIR, "6": tuple(range(40_000))}),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_asks_for_endless_work_is_refused_in_time(name: str) -> None:
    hostile = tflite(BOMBS[name]())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    with pytest.raises(MalformedFile, match="larger than that of any real model"):
        inspect(hostile)
    assert time.perf_counter() - began < 1.0
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 256 << 20


def test_one_program_named_many_times_is_refused_in_time() -> None:
    entries = 50_000
    vector = struct.pack("<I", entries)
    inner = bytearray(flat({0: [RUNNING] * 1}).replace(struct.pack("<I", 1), vector + bytes(4 * entries - 4), 1))
    first, target = inner.index(vector) + 4, inner.index(RUNNING) - 4
    for place in range(first, first + 4 * entries, 4):
        struct.pack_into("<I", inner, place, target - place)
    hostile = tflite(payload(flat({0: ("i", 14), 1: bytes(inner)}, b"DWN1")))
    began = time.perf_counter()
    with pytest.raises(MalformedFile, match="larger than that of any real model"):
        inspect(hostile)
    assert time.perf_counter() - began < 1.0
    assert entries < MOST_WORK  # it is the programs that cost, not the entries
