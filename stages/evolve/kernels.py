"""Evaluates networks of lookup tables on 64 waveforms at a time: a word has one bit for each.

`rows` is [row, word]: first the candidate inputs, then the neurons in their order. `wires` is [neuron, pin] and names
rows, always above the neuron's own. `label` is [word]: 1 for the second class. Columns of words before `fit` make
tables, the others score what was made.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.evolve.jit import jit

Array = Any  # numba takes no annotations of arrays

_ALL, _NONE, _ONE = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0), np.uint64(1)
_M1, _M2, _M4 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
_S1, _S2, _S4, _S56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
_SUM = np.uint64(0x0101010101010101)


@jit
def ones(word: Any) -> Any:
    """Count the ones of a word (Warren, Hacker's Delight, section 5-1)."""
    pairs = word - ((word >> _S1) & _M1)
    fours = (pairs & _M2) + ((pairs >> _S2) & _M2)
    return np.int64((((fours + (fours >> _S4)) & _M4) * _SUM) >> _S56)


@jit
def answer(
    rows: Array, wires: Array, tables: Array, first: int, stop: int, begin: int, end: int, buffer: Array
) -> None:
    """Write the rows of the neurons from `first` to `stop`, in the words from `begin` to `end`: multiplexers."""
    pins = wires.shape[1]
    above = rows.shape[0] - len(wires)
    for neuron in range(first, stop):
        half = 1 << (pins - 1)
        pin = rows[wires[neuron, 0]]
        for entry in range(half):
            low = _ALL if (tables[neuron] >> np.uint64(2 * entry)) & _ONE else _NONE
            high = _ALL if (tables[neuron] >> np.uint64(2 * entry + 1)) & _ONE else _NONE
            for word in range(begin, end):
                buffer[entry, word] = (low & ~pin[word]) | (high & pin[word])
        for place in range(1, pins):
            half >>= 1
            pin = rows[wires[neuron, place]]
            for entry in range(half):
                for word in range(begin, end):
                    low, high = buffer[2 * entry, word], buffer[2 * entry + 1, word]
                    buffer[entry, word] = (low & ~pin[word]) | (high & pin[word])
        for word in range(begin, end):
            rows[above + neuron, word] = buffer[0, word]


@jit
def balance(rows: Array, pins: Array, good: Array, bad: Array, fit: int, buffer: Array) -> Array:
    """Count for each entry of a table how many more waveforms a 1 makes right than wrong, in the words before `fit`."""
    found = np.zeros(1 << len(pins), np.int64)
    for word in range(fit):
        buffer[0, word] = good[word] | bad[word]
    size = 1
    for pin in pins:
        row = rows[pin]
        for entry in range(size):
            for word in range(fit):
                buffer[entry + size, word] = buffer[entry, word] & row[word]
                buffer[entry, word] &= ~row[word]
        size *= 2
    for entry in range(size):
        total = 0
        for word in range(fit):
            total += ones(buffer[entry, word] & good[word]) - ones(buffer[entry, word] & bad[word])
        found[entry] = total
    return found


@jit
def decided(table: Any, balances: Array) -> Any:
    """Set each entry to what makes more waveforms right; where both make as many, it stays."""
    for entry in range(len(balances)):
        bit = _ONE << np.uint64(entry)
        if balances[entry] > 0:
            table |= bit
        elif balances[entry] < 0:
            table &= ~bit
    return table


@jit
def refit(rows: Array, wires: Array, tables: Array, neuron: int, label: Array, fit: int, buffer: Array) -> None:
    """Give a neuron the best table while all others stay: a waveform counts where the answer hangs on the neuron."""
    stop, last = len(wires), rows.shape[0] - 1
    above = last + 1 - stop
    without, good, bad = np.zeros(fit, np.uint64), np.zeros(fit, np.uint64), np.zeros(fit, np.uint64)
    rows[above + neuron, :fit] = _NONE
    answer(rows, wires, tables, neuron + 1, stop, 0, fit, buffer)
    without[:] = rows[last, :fit]
    rows[above + neuron, :fit] = _ALL
    answer(rows, wires, tables, neuron + 1, stop, 0, fit, buffer)
    for word in range(fit):
        hangs, wrong = without[word] ^ rows[last, word], rows[last, word] ^ label[word]
        good[word], bad[word] = hangs & ~wrong, hangs & wrong
    tables[neuron] = decided(tables[neuron], balance(rows, wires[neuron], good, bad, fit, buffer))
    answer(rows, wires, tables, neuron, stop, 0, fit, buffer)


@jit
def majority(rows: Array, wires: Array, tables: Array, label: Array, fit: int, buffer: Array) -> None:
    """Make all tables, layer by layer: each entry is the commoner class of the waveforms that reach it."""
    other = ~label[:fit]
    for neuron in range(len(wires)):
        tables[neuron] = decided(_NONE, balance(rows, wires[neuron], label, other, fit, buffer))
        answer(rows, wires, tables, neuron, neuron + 1, 0, fit, buffer)


@jit
def right(row: Array, label: Array, begin: int, end: int) -> int:
    """Count the waveforms that a row classifies rightly."""
    total = 0
    for word in range(begin, end):
        total += ones(~(row[word] ^ label[word]))
    return total


@jit
def evaluate(rows: Array, wires: Array, tables: Array, touched: Array, label: Array, fit: int, is_start: bool) -> Array:
    """Make the tables of each genome and count what it has right in the words from `fit` on.

    `wires` is [genome, neuron, pin], `tables` [genome, neuron]. From a start, only neurons that are `touched` get new
    tables; else all get those of the majority.
    """
    words, neurons = label.shape[0], wires.shape[1]
    buffer = np.zeros((1 << wires.shape[2], words), np.uint64)
    found = np.zeros(len(wires), np.int64)
    for genome in range(len(wires)):
        if is_start:
            answer(rows, wires[genome], tables[genome], 0, neurons, 0, fit, buffer)
            for neuron in range(neurons):
                if touched[genome, neuron]:
                    refit(rows, wires[genome], tables[genome], neuron, label, fit, buffer)
        else:
            majority(rows, wires[genome], tables[genome], label, fit, buffer)
        answer(rows, wires[genome], tables[genome], 0, neurons, fit, words, buffer)
        found[genome] = right(rows[-1], label, fit, words)
    return found
