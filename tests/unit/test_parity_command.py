"""`./run parity MODEL` from the words to the answer, with an engine that makes small outputs of every kind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fakes import FakeEngine, declared, write_record
from test_file_commands import document

from coralline import catalogue, session
from coralline.commands import requests as commands
from coralline.engines.base import Job, Outcome
from coralline.tasks.options import REQUEST

if TYPE_CHECKING:
    from collections.abc import Mapping

FIXTURES = Path(__file__).parents[1] / "fixtures" / "edgetpu"
SMALLEST = {"json": b"{}\n", "csv": b"a,b\n1,2\n", "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(92), "text": b"x\n"}


def make(job: Job) -> Outcome:
    for output in declared(job):
        place = job.out / output.path
        if output.kind == "tflite":
            shutil.copy(FIXTURES / "gabor_64x64_p4.tflite", place)
        elif output.kind == "png":
            place.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
        else:
            place.write_bytes(SMALLEST[output.kind])
    write_record(job)
    return Outcome(exit_code=0)


def compare(job: Job) -> Outcome:
    absent = [{"runtime": "edgetpu", "reason": told["reason"]} for told in job.missing]
    told = {**document(), "recipe": job.parameters["recipe"], "absent": absent}
    (job.out / "parity.json").write_text(json.dumps(told))
    write_record(job)
    return Outcome(exit_code=0)


class Steps(dict[str, Any]):
    """What each label does: parity compares, everything else makes its smallest outputs."""

    def get(self, label: str, _default: Any = None) -> Any:
        return compare if label.startswith("parity/") else make


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    made = FakeEngine(behaviours=Steps(), blocked_images={"compile": "no vendor"})
    monkeypatch.setattr(session, "choose", lambda _name, _notify: made)
    monkeypatch.setenv(catalogue.ARTIFACTS_VARIABLE, str(tmp_path / "artifacts"))
    return made


def words(**given: Any) -> Mapping[str, Any]:
    defaults = {name: default for name, (default, _) in REQUEST.items() if name != "only"}
    return {**defaults, "set_": [], **given}


def test_one_document_is_printed_and_what_it_needs_is_made(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.show_parity(words(model="inceptionv3"), as_json=True)
    assert engine.ran == [
        "dataset",
        "train/inceptionv3",
        "convert/inceptionv3/ptq-int8",
        "parity/inceptionv3/ptq-int8",
    ]
    told = json.loads(capsys.readouterr().out)
    assert told["recipe"] == "ptq-int8"
    assert told["absent"] == [{"runtime": "edgetpu", "reason": "needs compile/inceptionv3/ptq-int8: no vendor"}]


def test_asked_again_nothing_runs_and_the_answer_is_the_same(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.show_parity(words(model="inceptionv3"), as_json=False)
    first, engine.ran = capsys.readouterr().out, []
    commands.show_parity(words(model="inceptionv3"), as_json=False)
    assert (engine.ran, capsys.readouterr().out) == ([], first)
    assert "inceptionv3/ptq-int8: 64 of 600 test images" in first


@pytest.mark.usefixtures("engine")
def test_several_files_are_one_object_with_a_document_each(capsys: pytest.CaptureFixture[str]) -> None:
    commands.show_parity(words(model="inceptionv3", recipes="ptq-int8,ptq-int8-stock"), as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "coralline.parities"
    assert [one["recipe"] for one in told["parities"]] == ["ptq-int8", "ptq-int8-stock"]


def test_what_cannot_be_compared_ends_with_the_reason(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    engine.blocked_images["convert"] = "no such image here"
    with pytest.raises(SystemExit) as ended:
        commands.show_parity(words(model="inceptionv3"), as_json=True)
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (3, "")
    assert "not made: parity/inceptionv3/ptq-int8: needs convert/inceptionv3/ptq-int8: no such image here" in said.err
