"""Compiled files that no published file is like: several packages, programs and operators, broken ones."""

from __future__ import annotations

import pytest
from compiledfiles import CACHING, PAIR, RUNNING, SOURCE, checks, executable, package, payload, tflite
from flatfiles import flex

from stages.contract import InputError
from stages.edgetpu.compiled.executable import PARAMETER_CACHING, STAND_ALONE
from stages.edgetpu.compiled.inspection import inspect
from stages.tflite.flat import MalformedFile


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
