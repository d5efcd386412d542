"""The short form of `tests/chaos`: a few random harms to a run on a small disk; the long one is a command."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest
from conftest import can
from lab import Lab

from tests.chaos import harm
from tests.chaos.__main__ import WORDS, small_disk
from tests.chaos.ordeal import Ordeal

if TYPE_CHECKING:
    from pathlib import Path

HARMS = 5
LASTS_S = 20.0  # about what the request takes; harm comes five times in that time
SEED = 7


def test_whatever_dies_or_fills_up_nothing_finished_is_lost(converted: Lab, tmp_path: Path) -> None:
    if os.getuid() != 0 or not can("unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"):
        pytest.skip("a small disk: only root, and outside most containers, can mount a file system")
    kinds = {
        "disk full": harm.fill_disk,
        "host interrupted": harm.interrupt_host,
        "host killed": harm.kill_host,
        "step killed": harm.kill_step,
    }
    with small_disk(tmp_path / "disk") as disk:
        lab = Lab(disk / "artifacts", "local")
        ordeal = Ordeal(lab, WORDS, converted.digests(), LASTS_S, random.Random(SEED))
        found = ordeal.suffer(HARMS, kinds, lambda _: None)
    assert found.broken == []
    assert found.harms.total() == HARMS
    assert found.finished > 0
