"""Networks of lookup tables: what they answer, and what is none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import lutnets
import numpy as np
import pytest
from hypothesis import given, settings

from stages.contract import InputError
from stages.lut.file import read_network, write_network
from stages.lut.network import MalformedNetwork, Network, classes

if TYPE_CHECKING:
    from pathlib import Path


@settings(deadline=None)
@given(lutnets.networks())
def test_a_network_answers_as_its_definition_reads(network: Network) -> None:
    vectors = lutnets.every_vector(network.inputs)
    expected = [lutnets.naive(network, vector.tolist()) for vector in vectors]
    assert network.answer(vectors).tolist() == expected


def test_a_comparator_is_1_from_its_threshold_on() -> None:
    one = replace(lutnets.network(1, inputs=2), samples=3, bits=4)
    one = replace(one, sample=np.array([2, 0], np.uint16), threshold=np.array([5, 1], np.uint16))
    codes = np.array([[0, 9, 4], [1, 9, 5], [0, 9, 15]], np.uint16)
    assert one.compare(codes).tolist() == [[False, False], [True, True], [True, False]]


def test_output_0_counts_1_and_output_1_counts_2() -> None:
    assert classes(np.array([[False, True], [True, True], [True, False]])).tolist() == [2, 3, 1]


@settings(deadline=None, max_examples=20)
@given(lutnets.networks())
def test_a_file_gives_the_network_back(tmp_path_factory: pytest.TempPathFactory, network: Network) -> None:
    folder = tmp_path_factory.mktemp("network")
    write_network(folder, network)
    found = read_network(folder)
    for name in ("samples", "bits", "layers"):
        assert getattr(found, name) == getattr(network, name)
    for name in ("sample", "threshold", "wiring", "tables"):
        assert np.array_equal(getattr(found, name), getattr(network, name))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sample": np.full(16, 16, np.uint16)}, "looks at sample 16 of 16"),
        ({"threshold": np.full(16, 2, np.uint16)}, "threshold is 2, of 1 bits"),
        ({"threshold": np.ones(15, np.uint16)}, "16 comparators have 15 thresholds"),
        ({"wiring": np.full((9, 6), 15, np.uint16)}, "layer 1 leads to none of the 8 bits"),
        ({"wiring": np.zeros((9, 7), np.uint16)}, "7 pins of a neuron, expected 2 to 6"),
        ({"wiring": np.zeros((9, 4), np.uint16)}, "more than 16 entries"),
        ({"layers": (8, 2)}, "9 rows of wires, 10 neurons"),
        ({"layers": ()}, "0 layers"),
        ({"layers": (9, 0)}, "0 neurons of a layer"),
        ({"tables": np.zeros(8, np.uint64)}, "9 neurons, 8 tables"),
        ({"bits": 17}, "17 bits of a sample"),
    ],
)
def test_what_is_no_network_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedNetwork, match=message):
        replace(lutnets.network(1), **changed)


def test_a_file_with_a_wire_to_nowhere_is_an_input_error(tmp_path: Path) -> None:
    one = lutnets.network(1)
    object.__setattr__(one, "wiring", np.full((9, 6), 15, np.uint16))  # as no network can be made
    write_network(tmp_path, one)
    with pytest.raises(InputError, match="no network of lookup tables: a wire of layer 1"):
        read_network(tmp_path)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"network\.npz cannot be read"):
        read_network(tmp_path)
