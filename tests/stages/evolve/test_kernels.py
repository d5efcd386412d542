"""Words of 64 waveforms answer as the network's definition does, tables are the best there are, slopes are true."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.evolve import kernels, soft
from stages.evolve.evolution import network_of
from stages.evolve.genomes import Frame
from stages.evolve.material import Material, Part, pack, unpack
from stages.evolve.search import answers, buffer, with_neurons
from stages.evolve.settings import Settings
from stages.lut.network import Network

LAYERS = (5, 3, 1)


def part(random: np.random.Generator, candidates: int, words: int) -> Part:
    bits = random.random((candidates, 64 * words)) < 0.5
    return Part(pack(bits), pack(bits[:3].sum(axis=0) >= 2))


def genome(random: np.random.Generator, candidates: int, fan_in: int) -> tuple[Any, Any]:
    wires = Frame.of(candidates, LAYERS, fan_in).draw(random, 1)[0]
    return wires, random.integers(0, 2 ** (2**fan_in) - 1, len(wires), np.uint64, endpoint=True)


@given(st.integers(1, 5), st.integers(0, 99))
def test_words_are_unpacked_as_they_were_packed(words: int, seed: int) -> None:
    bits = np.random.default_rng(seed).random((3, 64 * words)) < 0.5
    assert np.array_equal(unpack(pack(bits)), bits)
    assert int(pack(bits)[0, 0]) & 1 == bits[0, 0]


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 6), st.integers(0, 2**32))
def test_answers_are_those_of_the_network_that_is_written(fan_in: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    given_part = part(random, 9, 3)
    wires, tables = genome(random, 9, fan_in)
    material = Material(np.arange(9), np.ones(9, int), given_part, given_part)
    told = Settings(LAYERS, fan_in, "random", 0, 1, 4, 0.1, 128, 1)
    network = network_of(told, material, 1, 9, (wires, tables))
    waveforms = unpack(given_part.rows).T.astype(np.uint16)
    expected = network.answer(network.compare(waveforms))[:, 0]
    assert np.array_equal(unpack(answers(given_part, wires, tables)), expected)
    assert network.inputs <= 9
    assert all(kept <= asked for kept, asked in zip(network.layers, LAYERS, strict=True))


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 5), st.integers(0, 2**32))
def test_a_table_of_the_majority_cannot_be_bettered(fan_in: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    given_part = part(random, 9, 4)
    wires, tables = genome(random, 9, fan_in)
    rows = with_neurons(given_part.rows, len(wires))
    kernels.majority(rows, wires, tables, given_part.label, 4, buffer(wires, 4))
    for neuron, pins in enumerate(wires):
        bits, label = unpack(rows[pins]), unpack(given_part.label)
        entry = (bits * (1 << np.arange(fan_in))[:, np.newaxis]).sum(axis=0)
        for number in range(2**fan_in):
            there = entry == number
            bit = bool(int(tables[neuron]) >> number & 1)
            assert bit == (2 * label[there].sum() > there.sum())


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 4), st.integers(0, 2**32), st.integers(0, 8))
def test_a_refitted_table_is_the_best_while_the_others_stay(fan_in: int, seed: int, neuron: int) -> None:
    random = np.random.default_rng(seed)
    given_part = part(random, 9, 4)
    wires, tables = genome(random, 9, fan_in)
    rows, room = with_neurons(given_part.rows, len(wires)), buffer(wires, 4)
    kernels.answer(rows, wires, tables, 0, len(wires), 0, 4, room)
    kernels.refit(rows, wires, tables, neuron, given_part.label, 4, room)
    best = kernels.right(rows[-1], given_part.label, 0, 4)
    for number in range(2**fan_in):  # entries are independent of each other: no single one may help
        other = tables.copy()
        other[neuron] ^= np.uint64(1 << number)
        assert kernels.right(answers(given_part, wires, other), given_part.label, 0, 4) <= best


def test_ones_are_counted() -> None:
    for word in (0, 1, 2**63, 2**64 - 1, 0x123456789ABCDEF0):
        assert kernels.ones(np.uint64(word)) == word.bit_count()


def slopes(share: Any, entries: Any, choices: Any, bits: Any, label: Any) -> tuple[Any, Any]:
    found = np.zeros_like(share), np.zeros_like(entries)
    soft.add_slopes(bits, label, np.arange(len(bits)), bits.shape[1], choices, share, entries, *found)
    return found


def cross_entropy(share: Any, entries: Any, choices: Any, bits: Any, label: Any) -> float:
    total = 0.0
    for waveform, truth in zip(bits, label, strict=True):
        values = list(map(float, waveform))
        for neuron in range(len(entries)):
            pins = (share[neuron] * np.array(values)[choices[neuron]]).sum(axis=1)
            weights = np.ones(1)
            for pin in pins:
                weights = np.concatenate([weights * (1 - pin), weights * pin])
            values.append(float(weights @ entries[neuron]))
        total -= np.log(values[-1] if truth else 1 - values[-1])
    return total


def test_slopes_are_those_of_the_cross_entropy() -> None:
    random = np.random.default_rng(3)
    inputs, fan_in, frame = 7, 3, Frame.of(7, (4, 2, 1), 3)
    choices = np.moveaxis(frame.draw(random, 4), 0, 2).copy()
    share = random.dirichlet(np.ones(4), choices.shape[:2])
    entries = random.uniform(0.2, 0.8, (len(choices), 2**fan_in))
    bits, label = random.integers(0, 2, (6, inputs), np.uint8), random.integers(0, 2, 6, np.uint8)
    to_share, to_entries = slopes(share, entries, choices, bits, label)
    # LEAST bounds the slope, so that it is smaller than the true one by what it adds to p (1 - p), at most 0.7 %.
    for found, values in ((to_share, share), (to_entries, entries)):
        for place in np.ndindex(values.shape):
            kept, step = values[place], 1e-6
            values[place] = kept + step
            above = cross_entropy(share, entries, choices, bits, label)
            values[place] = kept - step
            below = cross_entropy(share, entries, choices, bits, label)
            values[place] = kept
            assert found[place] == pytest.approx((above - below) / (2 * step), rel=0.02, abs=0.005)


def test_the_exponential_is_one() -> None:
    for x in (-5.0, -1.0, 0.0, 0.5, 3.0):
        assert soft.exponential(x) == pytest.approx(np.exp(x), rel=1e-4)


def test_idle_neurons_and_inputs_read_twice_are_left_out() -> None:
    # Candidates 0 to 2; neurons 3 to 5, then 6: only 4 and 5 have a way to the answer, and they share candidate 1.
    wires = np.array([[0, 0], [1, 2], [1, 1], [4, 5]])
    tables = np.array([1, 6, 9, 8], np.uint64)
    material = Material(np.array([3, 5, 7]), np.array([9, 8, 2]), *(part(np.random.default_rng(1), 3, 1),) * 2)
    told = Settings((3, 1), 2, "random", 0, 1, 4, 0.1, 128, 1)
    network = network_of(told, material, 4, 8, (wires, tables))
    expected = Network(
        samples=8,
        bits=4,
        sample=np.array([5, 7], np.uint16),
        threshold=np.array([8, 2], np.uint16),
        layers=(2, 1),
        wiring=np.array([[0, 1], [0, 0], [0, 1]], np.uint16),
        tables=np.array([6, 9, 8], np.uint64),
    )
    assert str(network) == str(expected)
