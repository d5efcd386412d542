"""Damage a file in the ways that files are damaged by accident or on purpose; the same case is the same damage."""

from __future__ import annotations

import random
import struct

CLAIMS = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**30)  # two gigabytes, minus one, and what overflows


def mutate(content: bytes, case: int) -> bytes:
    """Return the content with one to four kinds of damage, chosen by the number of the case."""
    chance = random.Random(case)
    damaged = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        if damaged:
            chance.choice(DAMAGES)(damaged, chance)
    return bytes(damaged)


def _cut(damaged: bytearray, chance: random.Random) -> None:
    del damaged[chance.randrange(len(damaged)) :]


def _flip(damaged: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 16)):
        damaged[_place(damaged, chance)] ^= 1 << chance.randrange(8)


def _claim(damaged: bytearray, chance: random.Random) -> None:
    """Write a number where a length or an offset may stand."""
    _write(damaged, chance, chance.choice(CLAIMS))


def _point(damaged: bytearray, chance: random.Random) -> None:
    """Let an offset point elsewhere in the file, also backwards."""
    _write(damaged, chance, chance.randrange(-len(damaged), len(damaged)) % 2**32)


def _move(damaged: bytearray, chance: random.Random) -> None:
    """Copy a piece over another, so that structures stand where others were."""
    size = chance.randint(1, 256)
    source, target = chance.randrange(len(damaged)), chance.randrange(len(damaged))
    piece = damaged[source : source + size]
    damaged[target : target + len(piece)] = piece


def _repeat(damaged: bytearray, chance: random.Random) -> None:
    place = chance.randrange(len(damaged))
    damaged[place:place] = damaged[place : place + chance.randint(1, 1024)] * chance.randint(1, 8)


def _write(damaged: bytearray, chance: random.Random, value: int) -> None:
    place = _place(damaged, chance) & ~3
    if place + 4 <= len(damaged):
        struct.pack_into("<I", damaged, place, value)


def _place(damaged: bytearray, chance: random.Random) -> int:
    """Choose a place; half of them lie at the ends, where the structure of a file stands and not its weights."""
    near = min(len(damaged), 4096)
    kind = chance.randrange(4)
    if kind == 0:
        return chance.randrange(near)
    if kind == 1:
        return len(damaged) - 1 - chance.randrange(near)
    return chance.randrange(len(damaged))


DAMAGES = (_cut, _flip, _flip, _claim, _claim, _point, _point, _move, _repeat)
