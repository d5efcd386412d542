"""The reader of compiled files: the numbers of published files, and calm about files that lie."""

from __future__ import annotations

import contextlib
import json
import resource
import struct
import time
from typing import TYPE_CHECKING, Any

import pytest
from compiledfacts import CONTENTS, FILES, LAYERS, LEFT_ON_CPU, NUMBERS
from flatfiles import flat, flex
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coralline.catalogue import PROJECT
from stages.contract import InputError
from stages.edgetpu.compiled.digest import masked_digest
from stages.edgetpu.compiled.executable import EXECUTION_ONLY, PARAMETER_CACHING, STAND_ALONE, Executable
from stages.edgetpu.compiled.inspection import inspect
from stages.edgetpu.compiled.operator import CUSTOM_CODE, read_custom_operator
from stages.tflite.flat import MOST_WORK, Buffer, MalformedFile
from stages.tflite.flex import read_map
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FIXTURES = PROJECT / "tests" / "fixtures" / "edgetpu"
SHARED_MODELS = PROJECT.parent / "shared" / "edgetpu" / "models"
SOURCE = (FIXTURES / "gabor_64x64_p4.tflite").read_bytes()
COMPILED = (FIXTURES / "gabor_64x64_p4_edgetpu.tflite").read_bytes()
DATA_TYPES = {"t0": "uint8", "t8": "int8", "t9": "int16"}


def rows(table: str) -> dict[str, dict[str, str]]:
    """Read a table of the facts: file -> column -> value."""
    head, *lines = (line.split() for line in table.strip().splitlines())
    return {line[0]: dict(zip(head, line, strict=True)) for line in lines}


def model(file: str) -> bytes:
    """Read a published file; the small one is there on every machine."""
    if file == "gabor":
        return COMPILED
    if not SHARED_MODELS.is_dir():
        pytest.skip("the folder of real models (shared/edgetpu/models beside the project) is not here")
    return (SHARED_MODELS / f"{FILES[file]}_edgetpu.tflite").read_bytes()


def executables(content: bytes) -> list[Executable]:
    """Read the programs of the one operator for the Edge TPU."""
    operators = [each for each in read_model(content).main.operators if each.name == CUSTOM_CODE]
    return [program for each in operators for program in read_custom_operator(Buffer(each.payload)).package.executables]


def running(document: dict[str, Any]) -> dict[str, Any]:
    programs: list[dict[str, Any]] = document["operators"][0]["packages"][0]["executables"]
    return next(program for program in programs if program["type"] == "execution-only")


def checks(document: dict[str, Any]) -> dict[str, bool]:
    return {check["name"]: check["ok"] for check in document["checks"]}


# What the published files hold


@pytest.mark.parametrize("file", FILES)
def test_bytes_are_those_of_the_published_file(file: str) -> None:
    content, expected = model(file), rows(NUMBERS)[file]
    document = inspect(content)
    assert len(content) == int(expected["size"])
    assert document["compiler"] == expected["compiler"]
    assert document["estimated_cycles"] == int(expected["cycles"])
    names = {
        "min_runtime_version": "rt",
        "cached_bytes": "cached",
        "streamed_bytes": "streamed",
        "caching_instruction_bytes": "loading",
        "scratch_bytes": "scratch",
        "narrow_bytes_per_tile": "narrow",
    }
    assert {name: document[name] for name in names} == {name: int(expected[column]) for name, column in names.items()}
    assert running(document)["instruction_bytes"] == [int(chunk) for chunk in expected["instructions"].split("+")]
    assert document["instruction_bytes"] == sum(running(document)["instruction_bytes"])


@pytest.mark.parametrize("file", FILES)
def test_operators_left_on_the_cpu_are_counted_by_kind(file: str) -> None:
    document = inspect(model(file))
    assert document["subgraphs"] == 1
    assert document["cpu_operators"] == LEFT_ON_CPU.get(file, {})


@pytest.mark.parametrize("file", FILES)
def test_packages_and_transfers_are_those_of_the_published_file(file: str) -> None:
    document, expected = inspect(model(file)), rows(CONTENTS)[file]
    operator, program = document["operators"][0], running(document)
    assert (program["name"] or "-") == expected["name"]
    assert document["package_bytes"] == operator["packages"][0]["bytes"] == int(expected["package"])
    assert ",".join(operator["keys"]) == expected["keys"]
    assert operator["chip_codes"] == (None if expected["chips"] == "-" else [int(expected["chips"])])
    tokens = {each["caching_token"] for each in operator["packages"][0]["executables"]}
    assert tokens == {expected["token"]}
    counts = document["bus_traffic"]["transfers"]
    names = ("instructions", "input", "parameters", "output", "interrupts", "fences")
    columns = ("code", "in", "param", "out", "intr", "fence")
    assert [counts[name] for name in names] == [int(expected[column]) for column in columns]
    assert document["bus_traffic"]["deterministic"] == (expected["all"] == "1")


@pytest.mark.parametrize("file", FILES)
def test_layers_are_those_of_the_published_file(file: str) -> None:
    operator = inspect(model(file))["operators"][0]
    found = [(way, layer) for way, key in (("in", "inputs"), ("out", "outputs")) for layer in operator[key]]
    expected = [line.split(" ", 2)[1:] for line in LAYERS.strip().splitlines() if line.split()[0] == file]
    assert len(found) == len(expected)
    for (way, layer), (expected_way, words) in zip(found, expected, strict=True):
        sized, shape, data_type, zero_point = words.rsplit(" ", 3)
        name = layer["name"] if len(layer["name"]) <= 45 else layer["name"][:45] + "..."
        assert (way, f"{name}:{layer['bytes']}") == (expected_way, sized)
        assert layer["shape"] == [int(side) for side in shape.split(",")]
        assert layer["data_type"] == DATA_TYPES[data_type]
        assert f"zp{layer['zero_point']}" == zero_point


@pytest.mark.parametrize("file", FILES)
def test_a_published_file_passes_all_checks_of_the_runtime(file: str) -> None:
    document = inspect(model(file))
    assert all(checks(document).values())
    assert len(checks(document)) == len(document["checks"])
    json.dumps(document, allow_nan=False)


def test_all_compiled_files_of_the_folder_have_a_row() -> None:
    if not SHARED_MODELS.is_dir():
        pytest.skip("the folder of real models (shared/edgetpu/models beside the project) is not here")
    there = {path.relative_to(SHARED_MODELS).as_posix() for path in SHARED_MODELS.rglob("*_edgetpu.tflite")}
    assert there == {f"{stem}_edgetpu.tflite" for stem in FILES.values()}


def test_scratch_that_goes_out_and_comes_back_is_bus_traffic() -> None:
    traffic = inspect(model("deeplab-slim"))["bus_traffic"]
    assert traffic["out"]["scratch"] == 1393920
    assert traffic["in"]["scratch"] == 6 * 1393920
    assert traffic["in"]["instructions"] == 262080 + 103584


def test_scales_are_those_of_the_graphs_tensors() -> None:
    operator = inspect(COMPILED)["operators"][0]
    graph = read_model(COMPILED).main
    assert operator["inputs"][0]["scale"] == graph.tensors[graph.inputs[0]].scales[0]
    assert operator["outputs"][0]["scale"] == graph.tensors[graph.outputs[0]].scales[0]


def test_the_largest_file_is_read_in_time() -> None:
    content = model("movenet")
    began = time.perf_counter()
    inspect(content)
    assert time.perf_counter() - began < 0.3


# Files that no published file is like


def executable(kind: int = EXECUTION_ONLY, parameters: bytes = b"", batch: int = 1, **more: Any) -> bytes:
    """Write a program; `more` are fields by number, as `field_12`."""
    fields = {3: ("i", batch), 5: [{0: bytes(16)}], 6: parameters, 10: b"beagle", 13: ("h", kind), 14: ("Q", 7)}
    return flat({**fields, **{int(name[6:]): value for name, value in more.items()}})


def package(*programs: bytes, runtime: int = 14, chip: int = 0, mark: bytes = b"DWN1") -> bytes:
    inner = flat({0: list(programs)})
    return flat({0: ("i", runtime), 1: inner, 4: b"cl/1", 5: ("i", chip)}, mark)


def tflite(*payloads: bytes) -> bytes:
    """Write a file with an operator for the Edge TPU for each payload, and one for the CPU."""
    tensor = {0: b"", 1: ("b", 3), 2: ("I", 0), 3: b"x"}
    operators = [{0: ("I", 0), 1: b"", 2: b"", 5: payload} for payload in payloads]
    codes = [{0: ("b", 32), 1: CUSTOM_CODE.encode()}, {0: ("b", 0), 3: ("i", 0)}]
    graph = {0: [tensor], 3: [*operators, {0: ("I", 1), 1: b"", 2: b""}]}
    return flat({0: ("I", 3), 1: codes, 2: [graph], 4: [{}]}, b"TFL3")


def payload(*packages: bytes, chips: tuple[int, ...] | None = None) -> bytes:
    codes = tuple(18 for _ in packages) if chips is None else chips
    return flex({"1": 0, "4": packages[0], "5": -1, "6": codes, "7": packages[1:]})


CACHING = executable(PARAMETER_CACHING, bytes(100), field_12=("i", 0))
RUNNING = executable(EXECUTION_ONLY, bytes(10), field_12=("i", 64), field_16=("q", 2**40))
PAIR = package(RUNNING, CACHING)


def test_an_uncompiled_file_is_sent_to_check() -> None:
    with pytest.raises(InputError, match="no operator for the Edge TPU") as caught:
        inspect(SOURCE)
    assert "check" in caught.value.remedy


def test_several_operators_are_summed_and_listed() -> None:
    older = package(executable(STAND_ALONE, bytes(1000), field_12=("i", 32)), runtime=12)
    document = inspect(tflite(payload(PAIR), payload(older)))
    assert document["subgraphs"] == len(document["operators"]) == 2
    assert (document["cached_bytes"], document["streamed_bytes"]) == (100, 1010)
    assert document["instruction_bytes"] == 32
    assert document["narrow_bytes_per_tile"] == 64
    assert document["min_runtime_version"] == 14
    assert document["estimated_cycles"] == 2**40
    assert document["cpu_operators"] == {"ADD": 1}
    assert document["package_bytes"] == len(PAIR) + len(older)
    assert [check["operator"] for check in document["checks"] if check["name"] == "identifier"] == [0, 1]


def test_of_several_packages_the_first_counts_and_all_are_listed() -> None:
    other = package(executable(STAND_ALONE, bytes(1000)), runtime=13)
    document = inspect(tflite(payload(PAIR, other)))
    assert (document["streamed_bytes"], document["min_runtime_version"]) == (10, 14)
    assert [each["min_runtime_version"] for each in document["operators"][0]["packages"]] == [14, 13]
    assert not checks(document)["packages"]
    assert checks(document)["chip_codes"]


def test_of_all_three_kinds_the_stand_alone_one_runs_as_in_the_runtime() -> None:
    document = inspect(tflite(payload(package(CACHING, executable(STAND_ALONE, bytes(5)), RUNNING))))
    assert (document["cached_bytes"], document["streamed_bytes"]) == (0, 5)
    assert checks(document)["executables"]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (payload(package(RUNNING, CACHING, runtime=15)), "runtime_not_newer"),
        (payload(package(RUNNING, CACHING, runtime=9)), "runtime_not_older"),
        (payload(package(RUNNING, CACHING, chip=-1)), "virtual_chip_id"),
        (payload(package(RUNNING, CACHING, mark=b"DWN2")), "identifier"),
        (payload(package(RUNNING, executable(STAND_ALONE))), "executables"),
        (payload(package(RUNNING, executable(PARAMETER_CACHING, batch=0))), "batch_size"),
        (payload(PAIR, chips=(18, 17)), "chip_codes"),
        (payload(PAIR, PAIR), "packages"),
        (flex({"3": b"old", "4": PAIR}), "ignored_keys"),
        (payload(package(executable(STAND_ALONE, field_8=[{0: b"input"}]))), "input_tensors"),
        (payload(package(executable(STAND_ALONE, field_9=[{0: b"output"}]))), "output_tensors"),
    ],
)
def test_each_check_of_the_runtime_can_fail_alone(content: bytes, name: str) -> None:
    failed = {check for check, ok in checks(inspect(tflite(content))).items() if not ok}
    assert failed == {name}


def test_an_output_that_keeps_a_state_needs_no_tensor() -> None:
    document = inspect(tflite(payload(package(executable(field_9=[{0: b"cell_variable_output"}])))))
    assert checks(document)["output_tensors"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (payload(package()), "Edge TPU operator 0 of graph 0: no executable that runs among 0"),
        (payload(package(CACHING, executable(STAND_ALONE))), "no executable that runs among 2"),
        (payload(PAIR[:-20]), "package 0: "),
        (payload(package(RUNNING, CACHING[:40])), "package 0: executable 1: "),
        (payload(package(executable(field_4=("i", -5)))), "a size of -5"),
        (payload(package(executable(field_7={0: [{0: ("B", 9), 1: {}}]}))), "a hint of kind 9"),
        (payload(package(executable(field_7={0: [{0: ("B", 2), 1: {0: ("i", 1)}}]}))), "chunk 1, there are 1"),
        (payload(package(executable(field_7={0: [{0: ("B", 1), 1: {0: {0: ("h", 4)}}}]}))), "transfer of kind 4"),
        (payload(package(executable(field_7={0: [{0: ("B", 1)}]}))), "says too little"),
        (payload(package(executable(field_9=[{5: {1: ("f", float("nan"))}}]))), "scale of nan"),
        (flex({"1": 0}), "no package under the key '4'"),
        (flex({"4": PAIR, "7": (3,)}), "no package"),
        (flex({"4": PAIR, "6": 18}), "no list of chips"),
        (b"", "lie outside"),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(content: bytes, words: str) -> None:
    with pytest.raises(MalformedFile, match=words):
        inspect(tflite(content))


# FlexBuffers


def unpacked(value: Any) -> Any:
    """Turn what was read back into what was written."""
    if isinstance(value, tuple):
        return tuple(unpacked(entry) for entry in value)
    return bytes(value.content) if isinstance(value, Buffer) else value


scalars = st.one_of(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=40))
keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8)
maps = st.dictionaries(keys, st.one_of(scalars, st.lists(scalars, max_size=5).map(tuple)), max_size=6)


@given(maps)
def test_a_map_is_read_as_it_was_written(values: dict[str, Any]) -> None:
    assert {key: unpacked(value) for key, value in read_map(Buffer(flex(values))).items()} == values


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # Maps of one value under "a", laid out by hand: VECTOR_INT, VECTOR_STRING, INDIRECT_INT and FLOAT.
        (b"a\0\x02\x01\xfe\x01\x06\x01\x01\x01\x07\x2c\x02\x24\x01", (1, -2)),
        (b"a\0\x02hi\0\x01\x04\x01\x09\x01\x01\x01\x06\x3c\x02\x24\x01", (b"hi",)),
        (b"a\0\xfb\x01\x04\x01\x01\x01\x06\x18\x02\x24\x01", -5),
        (b"a\0\x01\x03\x01\x01\x01\x07\x0c\x02\x24\x01", None),
    ],
)
def test_other_layouts_are_read_and_other_kinds_are_nothing(content: bytes, expected: Any) -> None:
    assert unpacked(read_map(Buffer(content))["a"]) == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "lie outside"),
        (b"\x01\x04\x01", "no map"),
        (b"\x00\x24\x03", "no map"),
        (b"\x05\x24\x01", "lie outside"),
        (flex({"a": 1, "b": 2}).replace(b"b\0", b"a\0"), "2 values for 1 different keys"),
        (flex({"k" * 100: 1}), "without an end"),
    ],
)
def test_what_is_no_map_is_called_so(content: bytes, words: str) -> None:
    with pytest.raises(MalformedFile, match=words):
        read_map(Buffer(content))


# The digest


def changed(content: bytes, edits: Iterable[tuple[int, bytes]]) -> bytes:
    copy = bytearray(content)
    for position, new in edits:
        copy[position : position + len(new)] = new
    return bytes(copy)


def token_places(content: bytes) -> list[int]:
    """Find the tokens without the reader: both programs of a published file hold the same eight bytes."""
    token = executables(content)[0].caching_token.to_bytes(8, "little")
    found: list[int] = []
    while (place := content.find(token, found[-1] + 8 if found else 0)) >= 0:
        found.append(place)
    return found


@pytest.mark.parametrize("file", ["gabor", "mobilenet-0.25", "mobilenet-0.25-v2.0", "movenet"])
def test_the_digest_does_not_see_the_token(file: str) -> None:
    content = model(file)
    there = token_places(content)
    assert len(there) == 2
    one = changed(content, [(there[0], b"12345678")])
    both = changed(content, [(place, b"\xff" * 8) for place in there])
    assert masked_digest(content) == masked_digest(one) == masked_digest(both)


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, len(COMPILED) - 1), flip=st.integers(1, 255))
def test_the_digest_sees_every_other_byte(position: int, flip: int) -> None:
    if any(place <= position < place + 8 for place in token_places(COMPILED)):
        return
    other = changed(COMPILED, [(position, bytes([COMPILED[position] ^ flip]))])
    with contextlib.suppress(MalformedFile):
        assert masked_digest(other) != masked_digest(COMPILED)


def test_the_digest_does_not_see_when_files_were_packed() -> None:
    content = model("mobilenet-0.25")
    local, entry = content.rindex(b"PK\3\4"), content.rindex(b"PK\1\2")
    repacked = changed(content, [(local + 10, b"abcd"), (entry + 12, b"abcd")])
    assert masked_digest(repacked) == masked_digest(content)
    assert masked_digest(changed(content, [(local + 14, b"abcd")])) != masked_digest(content)  # the checksum


def test_a_token_that_covers_the_structure_is_refused() -> None:
    # A table at 4 whose vtable stands behind it, at 16, and whose token stands on the vtable's entry for the token.
    program = struct.pack("<Ii8x", 4, 4 - 16) + struct.pack("<HH14HH", 34, 4, *[0] * 14, 48 - 4) + bytes(16)
    content = tflite(payload(package(program)))
    assert inspect(content)["operators"][0]["packages"][0]["executables"][0]["caching_token"] == f"{48 - 4:016x}"
    with pytest.raises(MalformedFile, match="overlaps its structure"):
        masked_digest(content)


def test_what_is_no_tflite_file_has_no_digest() -> None:
    with pytest.raises(MalformedFile, match="mark"):
        masked_digest(b"PK\5\6" + bytes(18))


# Hostile files

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


# Files that ask for much work.
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
