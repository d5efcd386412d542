"""The proof that a changed file computes what the original computes can be had, and can fail."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from nets import shifted, with_open_batch

from stages.contract import InputError, Step
from stages.edgetpu.fix import fix
from stages.parity import prove
from stages.tflite.patch import Patch

if TYPE_CHECKING:
    from pathlib import Path


def proof(folder: Path, original: bytes, fixed: bytes, *, softmax_on_host: bool = False) -> dict[str, Any]:
    out = folder / "out"
    out.mkdir()
    places = {"original": folder / "original.tflite", "fixed": folder / "fixed.tflite"}
    places["original"].write_bytes(original)
    places["fixed"].write_bytes(fixed)
    parameters = {"softmax_on_host": softmax_on_host, "seed": 1, "inputs": 16}
    prove.main(Step("parity", "proof", parameters, 1, places, out, None, events=io.StringIO()))
    told: dict[str, Any] = json.loads((out / "proof.json").read_text())
    return told


def test_a_file_is_equal_to_itself(tmp_path: Path, forked: bytes) -> None:
    told = proof(tmp_path, forked, forked)
    assert (told["equal"], told["inputs"], told["kernels"], told["reason"]) == (True, 18, "reference", None)


def test_a_stated_batch_changes_no_output(tmp_path: Path, forked: bytes) -> None:
    opened = with_open_batch(forked)
    fixed, changes = fix(opened)
    assert {change["kind"] for change in changes} == {"static shape"}
    assert proof(tmp_path, opened, fixed)["equal"]


def test_softmax_on_the_host_leaves_its_input_bit_by_bit(tmp_path: Path, forked: bytes) -> None:
    fixed, changes = fix(forked, softmax_on_host=True)
    assert [change["kind"] for change in changes] == ["softmax on the host"]
    told = proof(tmp_path, forked, fixed, softmax_on_host=True)
    assert (told["equal"], told["compared"]) == (True, "output and the input of SOFTMAX")


def test_leaving_softmax_out_is_no_equal_file_unless_it_was_asked_for(tmp_path: Path, forked: bytes) -> None:
    fixed, _ = fix(forked, softmax_on_host=True)
    assert not proof(tmp_path, forked, fixed)["equal"]


def test_one_changed_bias_is_found(tmp_path: Path, forked: bytes) -> None:
    told = proof(tmp_path, forked, shifted(forked, "last", 500))
    assert not told["equal"]
    assert told["reason"].startswith("the outputs differ on input ")


def test_a_changed_file_that_the_interpreter_refuses_is_not_equal(tmp_path: Path, forked: bytes) -> None:
    broken = Patch(forked)
    broken.set_version(broken.code_of(1), 99)
    told = proof(tmp_path, forked, broken.content())
    assert not told["equal"]
    assert "refuses the file" in told["reason"]


def test_an_original_that_cannot_run_proves_nothing(tmp_path: Path, forked: bytes) -> None:
    broken = Patch(forked)
    broken.set_version(broken.code_of(1), 99)
    with pytest.raises(InputError, match="refuses the file"):
        proof(tmp_path, broken.content(), forked)


def test_the_inputs_are_the_extremes_and_then_the_same_random_ones_each_time() -> None:
    entry = {"shape": np.array([1, 2, 2, 3]), "dtype": np.uint8, "index": 0}
    first, second = ([fill(entry) for fill in prove.fills(7, 3)] for _ in range(2))
    assert (first[0] == 0).all()
    assert (first[1] == 255).all()
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    assert not np.array_equal(first[2], first[3])


@pytest.mark.parametrize(("dtype", "low", "high"), [(np.int8, -128, 127), (np.float32, 0, 1)])
def test_extremes_follow_the_type_of_the_input(dtype: Any, low: int, high: int) -> None:
    entry = {"shape": np.array([2, 2]), "dtype": dtype, "index": 3}
    lowest, highest, drawn = (fill(entry) for fill in prove.fills(1, 1))
    assert (lowest == low).all()
    assert (highest == high).all()
    assert drawn.dtype == dtype
    assert ((drawn >= low) & (drawn <= high)).all()
