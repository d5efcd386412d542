"""Random numbers of the event generator: published vectors, seeds, and compilation in hostile places."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from stages.dataset.lartpc import rng
from stages.dataset.lartpc.jit import source_digest

PROJECT = Path(__file__).resolve().parents[3]
DRAWS = 200_000


def test_xoshiro_follows_its_authors_code() -> None:
    state = np.array([1, 2, 3, 4], dtype=np.uint64)
    assert [int(rng.next_u64(state)) for _ in range(4)] == [41943041, 58720359, 3588806011781223, 3591011842654386]


@pytest.mark.parametrize(
    ("seed", "split", "index", "words"),
    [
        (1, "train", 0, [0x672D8EE56D6791FF, 0x8AE19CA14EB1072C, 0x4915796D1322FC4A, 0xD0CC2BDCABA049BD]),
        (2026, "test", 20000123, [0x57502A4B2BFC8F80, 0x2A4BD1112ADB657C, 0x31F101AAE4CE1342, 0x61B52C7FFD6C2F8B]),
    ],
)
def test_an_events_state_is_that_of_the_specification(seed: int, split: str, index: int, words: list[int]) -> None:
    assert [int(word) for word in rng.event_state(seed, split, index)] == words


def test_the_first_outputs_are_those_of_the_specification() -> None:
    state = rng.event_state(1, "train", 0)
    assert [int(rng.next_u64(state)) for _ in range(3)] == [0xC83A12D34B838EDC, 0xAC1FECE690AA48A0, 0x7AC6B7411A8272CA]


def test_the_first_uniform_and_normal_numbers_are_those_of_the_specification() -> None:
    uniform, normal = rng.event_state(1, "train", 0), rng.event_state(1, "train", 0)
    assert [rng.u01(uniform) for _ in range(3)] == [0.7821361318451763, 0.6723621428397248, 0.47959466304247106]
    # log and cos may differ in the last bit from machine to machine
    expected = [-0.3285726581736833, -1.095327396882852]
    assert [rng.gauss(normal) for _ in range(2)] == pytest.approx(expected, rel=1e-14)


def test_uniform_numbers_are_never_zero_nor_above_one() -> None:
    assert rng.u01(np.zeros(4, dtype=np.uint64)) == 2.0**-54  # all bits 0
    lowest = np.array([0, 0, 0, (1 << 41) - 1], dtype=np.uint64)  # rotl(x, 23) has its 41 highest bits set
    assert 0.0 < rng.u01(lowest) <= 1.0


def test_every_split_has_its_own_stream() -> None:
    states = {tuple(rng.event_state(seed, split, i)) for seed in (0, 1) for split in rng.SPLIT_CODE for i in range(500)}
    assert len(states) == 2 * len(rng.SPLIT_CODE) * 500


# Means and variances below must lie within five standard errors: a fixed seed makes the test repeatable,
# and the last bit of a logarithm cannot move 200,000 draws that far.
def test_normal_numbers_have_mean_zero_and_variance_one() -> None:
    state = rng.event_state(5, "calib", 0)
    values = np.array([rng.gauss(state) for _ in range(DRAWS)])
    assert abs(values.mean()) < 5 / np.sqrt(DRAWS)
    assert abs(values.var() - 1) < 5 * np.sqrt(2 / DRAWS)


@pytest.mark.parametrize("mean", [0.3, 1.5, 12.0])
def test_poisson_numbers_have_equal_mean_and_variance(mean: float) -> None:
    state = rng.event_state(6, "calib", 0)
    values = np.array([rng.poisson(state, mean) for _ in range(DRAWS)])
    error = np.sqrt(mean / DRAWS)
    assert abs(values.mean() - mean) < 5 * error
    assert abs(values.var() - mean) < 5 * np.sqrt((mean + 2 * mean**2) / DRAWS)


def test_a_turned_vector_keeps_its_length_and_its_angle_to_the_axis() -> None:
    state = rng.event_state(7, "calib", 0)
    for _ in range(200):
        axis, vector = rng.isotropic(state), rng.isotropic(state)
        turned = rng.turn(*vector, *axis)
        assert np.dot(turned, turned) == pytest.approx(1.0, abs=1e-12)
        assert np.dot(turned, axis) == pytest.approx(vector[2], abs=1e-12)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_turning_onto_the_z_axis_is_a_rotation_too(sign: float) -> None:
    turned = rng.turn(0.6, 0.0, 0.8, 0.0, 0.0, sign)
    assert turned == (0.6 * sign, 0.0, 0.8 * sign)


def _draw_in_new_process(cache: str) -> str:
    code = "from stages.dataset.lartpc import rng; print(rng.u01(rng.event_state(1, 'train', 0)))"
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=PROJECT, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_machine_code_is_cached_where_the_caller_says_and_nowhere_else(tmp_path: Path) -> None:
    before = set(Path(rng.__file__).parent.rglob("*.nbi"))
    first = _draw_in_new_process(str(tmp_path))
    assert first == _draw_in_new_process(str(tmp_path)) == "0.7821361318451763"
    digest = source_digest(Path(rng.__file__).parent)
    assert list((tmp_path / f"lartpc-{digest}").rglob("*u01*.nbi"))
    assert [path.name for path in tmp_path.iterdir()] == [f"lartpc-{digest}"]
    assert set(Path(rng.__file__).parent.rglob("*.nbi")) == before


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert _draw_in_new_process(str(blocked)) == "0.7821361318451763"


def test_a_changed_source_file_changes_the_name_of_the_cache(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    before = source_digest(tmp_path)
    (tmp_path / "a.py").write_text("x = 2\n")
    assert source_digest(tmp_path) != before
