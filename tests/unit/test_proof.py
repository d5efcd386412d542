"""`check --fix`: a changed file reaches its place with its proof, named as unproven, or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes import FakeEngine, write_record

from coralline import proof
from coralline.console import answers
from coralline.engines.base import Job, Outcome
from coralline.errors import EngineError, ParityError, ProfileError, StageError
from tests.tflitefiles import Op, T, tflite

if TYPE_CHECKING:
    from collections.abc import Callable

    from coralline.engines.base import Engine

FIXTURES = Path(__file__).parents[1] / "fixtures" / "edgetpu"
PROVED = {
    "schema": "coralline.proof",
    "version": 1,
    "equal": True,
    "inputs": 18,
    "seed": 1,
    "compared": "outputs",
    "kernels": "reference",
    "tensorflow": "2.15.1",
    "reason": None,
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A model that states a newer version of its convolution than it uses."""
    tensors = (
        T("image", (1, 8, 8, 4)),
        T("weights", (16, 3, 3, 4), data=bytes(576)),
        T("block/conv/Relu", (1, 8, 8, 16)),
    )
    path = tmp_path / "new.tflite"
    path.write_bytes(tflite([Op("CONV_2D", 6, (0, 1), (2,), {})], tensors, (0,), (2,)))
    return path


def engine_that(behaviour: Callable[[Job], Outcome]) -> Callable[[], Engine]:
    return lambda: FakeEngine(behaviours={"proof": behaviour})


def proving(equal: bool, seen: list[Job] | None = None) -> Callable[[], Engine]:
    def prove(job: Job) -> Outcome:
        told = PROVED | ({} if equal else {"equal": False, "reason": "the outputs differ on input 3 of 18"})
        (job.out / "proof.json").write_text(json.dumps(told))
        write_record(job)
        if seen is not None:
            assert all(place.is_file() for place in job.inputs.values())
            seen.append(job)
        return Outcome(exit_code=0)

    return engine_that(prove)


def test_the_fixed_file_is_written_with_its_proof(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Job] = []
    out = tmp_path / "fixed.tflite"
    told, trouble = proof.fix(file, out, softmax_on_host=False, engine=proving(equal=True, seen=seen))
    assert trouble is None
    assert told["proof"] == PROVED
    assert [change["kind"] for change in told["changes"]] == ["version"]
    assert out.read_bytes() != file.read_bytes()
    assert (seen[0].stage, seen[0].image) == ("parity.prove", "convert")
    assert seen[0].parameters == {"softmax_on_host": False, "seed": 1, "inputs": 16}
    answers.show_check(file.name, told)
    assert "outputs bit-equal on 18 inputs (reference kernels of TensorFlow 2.15.1)" in capsys.readouterr().out


def test_a_file_that_computes_something_else_is_not_written(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "fixed.tflite"
    out.write_text("older")
    with pytest.raises(ParityError, match="differ on input 3") as caught:
        proof.fix(file, out, softmax_on_host=False, engine=proving(equal=False))
    assert caught.value.code == 10
    assert out.read_text() == "older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fixed.tflite", "new.tflite"]


def test_without_an_engine_the_file_is_kept_and_named_unproven(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_engine() -> Engine:
        raise EngineError("the local engine cannot be used: not here", hint="go elsewhere")

    out = tmp_path / "fixed.tflite"
    told, trouble = proof.fix(file, out, softmax_on_host=False, engine=no_engine)
    assert out.is_file()
    assert isinstance(trouble, EngineError)
    assert told["proof"]["equal"] is None
    answers.show_check(file.name, told)
    assert "unproven: the local engine cannot be used: not here" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome(exit_code=2, error={"event": "error", "message": "refuses", "remedy": "x"}), ProfileError),
        (Outcome(exit_code=1, reason="out of memory"), StageError),
    ],
)
def test_a_proof_that_cannot_be_had_leaves_the_file_unproven(
    file: Path, tmp_path: Path, outcome: Outcome, kind: type
) -> None:
    told, trouble = proof.fix(
        file, tmp_path / "fixed.tflite", softmax_on_host=False, engine=engine_that(lambda _job: outcome)
    )
    assert isinstance(trouble, kind)
    assert told["proof"]["equal"] is None
    assert (tmp_path / "fixed.tflite").is_file()


def test_where_nothing_is_changed_no_engine_is_needed(tmp_path: Path) -> None:
    source, out = FIXTURES / "split_concat.tflite", tmp_path / "same.tflite"

    def none() -> Engine:
        raise AssertionError

    told, trouble = proof.fix(source, out, softmax_on_host=False, engine=none)
    assert (told["proof"]["equal"], trouble) == (True, None)
    assert out.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("place", ["", "nowhere/fixed.tflite", "new.tflite"])
def test_a_place_that_is_none_is_refused_before_anything_is_done(file: Path, tmp_path: Path, place: str) -> None:
    before = file.read_bytes()
    with pytest.raises(ProfileError, match="--fix"):
        proof.fix(file, tmp_path / place, softmax_on_host=False, engine=proving(equal=True))
    assert file.read_bytes() == before


def test_a_link_that_waits_beside_the_place_is_not_followed(file: Path, tmp_path: Path) -> None:
    out, theirs = tmp_path / "fixed.tflite", tmp_path / "theirs"
    theirs.write_text("theirs")
    out.with_name(f"{out.name}.{os.getpid()}").symlink_to(theirs)
    with pytest.raises(ProfileError, match="cannot be written: File exists"):
        proof.fix(file, out, softmax_on_host=False, engine=proving(equal=True))
    assert theirs.read_text() == "theirs"


def test_softmax_that_is_not_there_is_the_users_error(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="SOFTMAX"):
        proof.fix(file, tmp_path / "fixed.tflite", softmax_on_host=True, engine=proving(equal=True))
    assert not (tmp_path / "fixed.tflite").exists()
