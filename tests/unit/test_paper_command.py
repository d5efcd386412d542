"""`./run paper` from the words to Table 1 in short, with an engine that makes small outputs of every kind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from fakes import FakeEngine, write_record
from invoke.parser import Parser
from test_parity_command import make, words

import tasks
from coralline import catalogue, session
from coralline.commands import requests as commands
from coralline.engines.base import Job, Outcome

if TYPE_CHECKING:
    from pathlib import Path


def replayed(model: str) -> dict[str, Any]:
    """Give a document of one model: measured in the paper's way, blocked in ours."""
    ours = {"value": 77.9, "n": 3000, "interval": [76.4, 79.3], "std": None, "artifact": "00"}
    common = {"table": "accuracy", "model": model, "column": "PTQ", "published": {"value": 70.07, "std": None}}
    cells = [
        {**common, "way": "paper", "ours": ours, "verdict": "better"},
        {**common, "way": "ours", "ours": None, "verdict": "not measurable here"},
    ]
    return {
        "schema": "coralline.paper", "version": 1, "source": "arXiv:0", "lead": "Other data.",
        "models": {model: "A model"}, "columns": {"accuracy": ["PTQ"]}, "tables": {"accuracy": cells},
    }  # fmt: skip


def write_paper(job: Job) -> Outcome:
    (job.out / "paper.html").write_text("<!DOCTYPE html><html></html>")
    (job.out / "paper.md").write_text("# x\n")
    (job.out / "paper.json").write_text(json.dumps(replayed("densenet169")))
    write_record(job)
    return Outcome(exit_code=0)


class Steps(dict[str, Any]):
    """What each label does: paper writes its page, everything else makes its smallest outputs."""

    def get(self, label: str, _default: Any = None) -> Any:
        return write_paper if label == "paper" else make


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    made = FakeEngine(behaviours=Steps(), blocked_images={"compile": "no vendor"})
    monkeypatch.setattr(session, "choose", lambda _name, _notify: made)
    monkeypatch.setenv(catalogue.ARTIFACTS_VARIABLE, str(tmp_path / "artifacts"))
    return made


def test_it_makes_what_the_paper_made_and_prints_table_1_and_the_page(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.show_paper(words(model="densenet169"), as_json=False)
    assert {"convert/densenet169/ptq-int8-stock", "qat/densenet169/qat-int8-paper", "paper"} <= set(engine.ran)
    assert "report" not in engine.ran
    said = capsys.readouterr().out
    assert "Other data." in said
    assert "77.90 better" in said
    assert "not measurable here" in said
    assert "70.07" in said
    page = next(line for line in said.splitlines() if line.startswith("report"))
    assert page.endswith("paper.html")


@pytest.mark.usefixtures("engine")
def test_json_is_the_document_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    commands.show_paper(words(model="densenet169"), as_json=True)
    assert json.loads(capsys.readouterr().out) == replayed("densenet169")


def test_without_a_page_it_ends_with_the_reason(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    engine.blocked_images["report"] = "no such image here"
    with pytest.raises(SystemExit) as ended:
        commands.show_paper(words(model="densenet169"), as_json=True)
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (3, "")
    assert "no such image here" in said.err


@pytest.mark.parametrize("task", ["all", "plan", "paper", "parity"])
@pytest.mark.parametrize(("option", "name"), [("--model", "model"), ("--models", "model"), ("--recipe", "recipes")])
def test_several_models_may_be_asked_for_by_either_word(task: str, option: str, name: str) -> None:
    read = Parser(tasks.namespace.to_contexts()).parse_argv([task, f"{option}=some,others"])
    assert read[0].as_kwargs[name] == "some,others"
