"""The short form of `python -m tests.fuzz`: some thousand damaged files, none of which may crash or stall a reader."""

from __future__ import annotations

import pytest

from tests.fuzz.__main__ import attempt
from tests.fuzz.mutate import mutate
from tests.fuzz.readers import READERS, seeds

CASES = 1000


@pytest.mark.parametrize("kind", READERS)
def test_damaged_files_are_read_or_refused_in_time_and_memory(kind: str) -> None:
    assert seeds(kind)
    told = attempt(kind, 10**9, CASES)
    assert told["failures"] == []
    assert 0 < told["read"] < CASES  # some damage is harmless, most is not: both ways are tried


def test_the_same_case_is_the_same_damage() -> None:
    content = seeds("logs")[0]
    assert mutate(content, 7) == mutate(content, 7)
    assert mutate(content, 7) != mutate(content, 8)
