"""`./run verify` from the words to the verdicts, with an engine that makes small outputs of every kind."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fakes import FakeEngine, write_record

from coralline import __version__, catalogue, request, runs, session
from coralline.bundle import contents, importing, writer
from coralline.bundle.reader import Bundle
from coralline.commands import requests
from coralline.commands import verify as verifycommands
from coralline.engines.base import Job, Outcome
from coralline.store import Store, sealed
from coralline.tasks.options import REQUEST
from coralline.verify import cause, examine, normal
from coralline.verify.verdict import Cause, Verdict, Verification, Word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MODEL = "resnet50v2"
BEGINNINGS = {
    "hdf5": b"\x89HDF\r\n\x1a\n",
    "png": b"\x89PNG\r\n\x1a\n",
    "tflite": b"\0\0\0\0TFL3",
    "html": b"<!doctype html>",
}
BENCHMARK = f"benchmark/{MODEL}/float32/tflite-cpu"
TRAIN, CONVERT = f"train/{MODEL}", f"convert/{MODEL}/float32"


def make(job: Job) -> Outcome:
    """Write outputs that depend on the label and the parameters alone."""
    if job.stage in ("train", "qat"):
        (job.out / "predictions.csv").write_text(predictions(90))
    for output in catalogue.specs()[job.stage].outputs:
        told = json.dumps({"label": job.label, "parameters": job.parameters, "output": output.path}, sort_keys=True)
        place = job.out / output.path
        if output.path == "predictions.csv":
            place.write_text(predictions(90))
        elif output.path == "latency.json":
            place.write_text(json.dumps(latency(10.0)))
        elif output.kind == "csv":
            place.write_text(f"a,b\n{hashlib.sha256(told.encode()).hexdigest()},1\n")
        else:
            place.write_bytes(BEGINNINGS.get(output.kind, b"") + told.encode())
    write_record(job)
    if job.stage == "benchmark":
        write_facts(job)
    return Outcome(exit_code=0)


def write_facts(job: Job) -> None:
    """Leave the record of a measurement, which holds its latencies too."""
    facts = {"latency": json.loads((job.out / "latency.json").read_text())}
    (job.out / "record.json").write_text(json.dumps({"numbers": [], "facts": facts}))


def predictions(right: int, images: int = 100) -> str:
    rows = (
        f"{index}.png,{index % 2},{index % 2 if index < right else 1 - index % 2},0.5,0.5" for index in range(images)
    )
    return "\n".join(["path,label,predicted,p0,p1", *rows, ""])


def latency(p50: float, *remarks: str) -> dict[str, Any]:
    return {"milliseconds": {"p50": p50, "p99": 1.2 * p50}, "all_threads": None, "remarks": remarks}


def writing(name: str, content: str) -> Callable[[Job], Outcome]:
    """Make everything as usual but one file."""

    def behave(job: Job) -> Outcome:
        outcome = make(job)
        (job.out / name).write_text(content)
        if name == "latency.json":
            write_facts(job)
        return outcome

    return behave


class Steps(dict[str, Any]):
    """What each label does: something of its own, or the usual."""

    def get(self, label: str, _default: Any = None) -> Any:
        return super().get(label, make)


class Bench:
    """A store with one run of everything, and the answers of `verify` about it."""

    def __init__(self, artifacts: Path, engine: FakeEngine, output: pytest.CaptureFixture[str]) -> None:
        self.artifacts, self.engine, self._output = artifacts, engine, output

    def all(self, **given: Any) -> None:
        defaults = {name: default for name, (default, _) in REQUEST.items()}
        words = {"model": MODEL, "recipes": "float32", **given}
        requests.run_all({**defaults, "set_": [], "on": [], **words})
        self.engine.ran.clear()
        self._output.readouterr()

    def verify(self, code: int = 0, **given: Any) -> dict[str, Any]:
        names = ("run", "against", "only", "key", "data", "init", "meter")
        words = {**dict.fromkeys(names), "engine": "", "jobs": "", "debug": False, **given}
        try:
            verifycommands.verify(words, as_json=True)
            ended: Any = 0
        except SystemExit as raised:
            ended = raised.code
        said = self._output.readouterr()
        assert ended == code, said.err + said.out
        self.told = said.err
        found: dict[str, Any] = json.loads(said.out) if said.out else {}
        return found

    def verdicts(self, code: int = 0, **given: Any) -> dict[str, Any]:
        return {told["step"]: told for told in self.verify(code, **given)["verdicts"]}

    def run(self) -> runs.Run:
        return runs.load(self.artifacts)

    def home(self, label: str) -> Path:
        return self.artifacts / "objects" / str(self.run().steps[label]["key"])

    def rewrite_run(self, change: Callable[[dict[str, Any]], None]) -> None:
        place = self.run().folder / "run.json"
        told = json.loads(place.read_text())
        change(told)
        place.write_text(json.dumps(told))

    def bundle(self, place: Path, *, outputs: bool) -> Path:
        gathered = contents.gather(self.run(), Store(self.artifacts), outputs=outputs, version=__version__)
        writer.write(gathered, place)
        return place


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    engine = FakeEngine(behaviours=Steps(), blocked_images={"compile": "no vendor"})
    for room in (session, examine):
        monkeypatch.setattr(room, "choose", lambda _name, _notify: engine)
    monkeypatch.setenv(catalogue.ARTIFACTS_VARIABLE, str(tmp_path / "artifacts"))
    return Bench(tmp_path / "artifacts", engine, capsys)


def words_of(told: Mapping[str, Any]) -> dict[str, str]:
    return {label: one["verdict"] for label, one in told.items()}


def test_a_fresh_run_is_identical_and_nothing_is_left(bench: Bench) -> None:
    bench.all()
    told = bench.verify()
    made = [label for label, step in bench.run().steps.items() if step["state"] == "made"]
    assert [one["step"] for one in told["verdicts"]] == made
    assert sorted(bench.engine.ran) == sorted(made)
    assert {one["verdict"] for one in told["verdicts"]} == {"identical"}
    assert (told["worst"], told["kept"]) == ("identical", None)
    assert not (bench.artifacts / "verify").exists()
    assert re.search(r"run \S+: \d+ artifacts, which took .* to make", bench.told)


def test_each_verdict_belongs_to_a_level(bench: Bench) -> None:
    bench.all()
    told = bench.verdicts()
    levels = {label: told[label]["level"] for label in ("dataset", TRAIN, CONVERT, BENCHMARK, "report")}
    assert list(levels.values()) == ["L1", "L3", "L1", "L4", "L1"]


def test_one_stage_is_made_from_the_runs_own_inputs(bench: Bench) -> None:
    bench.all()
    told = bench.verdicts(only="convert")
    assert bench.engine.ran == list(told) == [CONVERT]


def test_a_latency_within_its_interval_is_statistically_equal(bench: Bench) -> None:
    bench.all()
    bench.engine.behaviours[BENCHMARK] = writing("latency.json", json.dumps(latency(11.0)))
    told = bench.verdicts()[BENCHMARK]
    assert (told["verdict"], told["files"]) == ("statistically equal", ["latency.json"])
    (interval,) = told["intervals"]
    assert interval["accepted"] == pytest.approx([7.8, 12.2])
    assert interval["holds"]


def test_a_latency_outside_it_is_different_and_kept_to_be_looked_at(bench: Bench) -> None:
    bench.all()
    busy = latency(30.0, "other work kept 1.5 cores busy meanwhile")
    bench.engine.behaviours[BENCHMARK] = writing("latency.json", json.dumps(busy))
    whole = bench.verify(10)
    told = next(one for one in whole["verdicts"] if one["step"] == BENCHMARK)
    assert told["first_difference"] == {"kind": "load", "text": "other work kept 1.5 cores busy meanwhile (now)"}
    assert [path.name for path in Path(whole["kept"]).glob("objects/*")] == [bench.home(BENCHMARK).name]


def test_an_artifact_that_was_corrupted_is_named_as_that(bench: Bench) -> None:
    bench.all()
    weights = bench.home(TRAIN) / "weights.h5"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    told = bench.verdicts(7)
    assert told[TRAIN]["verdict"] == "corrupted"
    assert told[TRAIN]["files"] == ["weights.h5 was changed"]
    assert "made again it is what the record says" in told[TRAIN]["remarks"][0]
    assert {one["verdict"] for label, one in told.items() if label != TRAIN} == {"identical"}


def test_a_changed_parameter_is_named_and_nothing_is_made_of_it(bench: Bench) -> None:
    bench.all(set_=["train.epochs=3"])
    bench.rewrite_run(lambda told: told["request"]["values"].update({"train.epochs": 5}))
    told = bench.verdicts(10)
    assert told[TRAIN]["verdict"] == "different"
    assert told[TRAIN]["first_difference"] == {"kind": "parameter", "text": "parameter train.epochs 3 -> 5"}
    assert TRAIN not in bench.engine.ran
    assert {one["verdict"] for label, one in told.items() if label != TRAIN} == {"identical"}


def test_a_step_that_does_not_repeat_itself_is_different_and_does_not_spread(bench: Bench) -> None:
    bench.all()
    bench.engine.behaviours[CONVERT] = writing("conversion.json", '{"chosen": "another"}')
    told = bench.verdicts(10)
    assert told[CONVERT]["first_difference"]["kind"] == "nothing"
    assert told[CONVERT]["files"] == ["conversion.json"]
    assert {one["verdict"] for label, one in told.items() if label != CONVERT} == {"identical"}


def test_another_image_is_named_before_anything_is_made(bench: Bench) -> None:
    bench.all()
    bench.engine.recipes["convert"] = {"lock": "1" * 64}
    told = bench.verdicts()
    assert told[CONVERT]["verdict"] == "identical"
    assert told[CONVERT]["remarks"] == ["although image: requirements.lock"]
    assert f"start     {CONVERT}: again, although image: requirements.lock" in bench.told


def test_scores_of_another_image_are_compared_by_counting(bench: Bench) -> None:
    bench.all()
    bench.engine.recipes["train"] = {"lock": "1" * 64}
    bench.engine.behaviours[TRAIN] = writing("predictions.csv", predictions(88))
    told = bench.verdicts()[TRAIN]
    assert (told["verdict"], told["level"]) == ("statistically equal", "L4")
    assert told["first_difference"]["text"] == "image: requirements.lock"
    assert [one["name"] for one in told["intervals"]] == ["accuracy", "recall of class 0", "recall of class 1"]
    bench.engine.behaviours[TRAIN] = writing("predictions.csv", predictions(40))
    assert bench.verdicts(10)[TRAIN]["verdict"] == "different"


def test_on_the_same_machine_other_predictions_are_different_however_few(bench: Bench) -> None:
    bench.all()
    bench.engine.behaviours[TRAIN] = writing("predictions.csv", predictions(89))
    assert bench.verdicts(10)[TRAIN]["first_difference"]["kind"] == "nothing"


def test_what_fails_when_made_again_is_not_verified(bench: Bench) -> None:
    bench.all()
    bench.engine.behaviours[TRAIN] = lambda _job: Outcome(exit_code=1)
    told = bench.verdicts(11)
    assert told[TRAIN]["remarks"] == [f"{TRAIN} failed: exit code 1"]
    assert told[CONVERT]["verdict"] == told["report"]["verdict"] == "identical"  # they read the originals
    assert "meanwhile" not in bench.told
    assert "last line" in bench.told


def test_what_cannot_be_made_here_any_more_is_not_verified(bench: Bench) -> None:
    bench.all()
    bench.engine.blocked_images["benchmark"] = "no such image here"
    told = bench.verdicts(11)
    assert told[BENCHMARK]["remarks"] == ["no such image here"]
    assert told["report"]["verdict"] == "identical"  # it reads the originals


def test_an_artifact_that_is_gone_is_not_verified_and_is_made_for_those_that_need_it(bench: Bench) -> None:
    bench.all()
    bench.home(TRAIN).rename(bench.artifacts / "gone")
    told = bench.verdicts(11)
    assert told[TRAIN]["remarks"] == ["its artifact is not in the store any more"]
    assert told[CONVERT]["verdict"] == "identical"


def images_in(folder: Path) -> Path:
    for split in ("train", "test"):
        for name in ("one", "two"):
            (folder / split / name).mkdir(parents=True)
            (folder / split / name / "0.png").write_bytes(f"{split} {name}".encode())
    return folder


def index(job: Job) -> Outcome:
    """Index the images as the dataset stage does."""
    outcome = make(job)
    paths = sorted(path for path in job.inputs["data"].glob("*/*/*.png"))
    lines = [(path.relative_to(job.inputs["data"]), hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]
    rows = [f"{path.parts[0]},{path.parts[1]},0,{path.as_posix()},{sha256}" for path, sha256 in lines]
    (job.out / "images.csv").write_text("\n".join(["split,class,label,path,sha256", *rows, ""]))
    (job.out / "dataset.json").write_text('{"images": "data"}')
    return outcome


def test_a_changed_byte_of_the_users_data_is_named_by_its_path(bench: Bench, tmp_path: Path) -> None:
    data = images_in(tmp_path / "images")
    bench.engine.behaviours["dataset"] = index
    bench.all(data=str(data))
    assert set(words_of(bench.verdicts(data=str(data))).values()) == {"identical"}
    bench.engine.ran.clear()
    (data / "train" / "two" / "0.png").write_bytes(b"train twO")
    told = bench.verdicts(10, data=str(data))
    for label in ("dataset", TRAIN, BENCHMARK):
        assert told[label]["verdict"] == "different"
        assert told[label]["first_difference"]["text"] == "input data: train/two/0.png changed"
    assert {"dataset", TRAIN, BENCHMARK}.isdisjoint(bench.engine.ran)


def test_data_that_is_not_named_again_is_asked_for(bench: Bench, tmp_path: Path) -> None:
    bench.engine.behaviours["dataset"] = index
    bench.all(data=str(images_in(tmp_path / "images")))
    assert not bench.verify(2)
    assert "name it again: --data PATH" in bench.told
    place = (bench.run().folder / "run.json").read_text()
    assert str(tmp_path) not in place  # which is why


def test_a_run_of_another_checkout_says_what_is_not_known_here(bench: Bench) -> None:
    bench.all()
    bench.rewrite_run(lambda told: told["request"].update({"models": ["resnet50v3"]}))
    bench.verify(2)
    assert "cannot be made again here: no such model 'resnet50v3'" in bench.told
    assert "did you mean 'resnet50v2'" in bench.told


def test_words_that_mean_nothing_are_refused(bench: Bench) -> None:
    bench.all()
    bench.verify(2, only="trian")
    assert "did you mean 'train'" in bench.told
    bench.verify(2, key="key.pem")
    assert "--key means nothing without --against" in bench.told
    bench.verify(3, only="parity")
    assert "no artifact of the stage parity" in bench.told


def test_a_stopped_verification_says_nothing_and_leaves_nothing(bench: Bench) -> None:
    import os
    import signal

    bench.all()

    def stop(job: Job) -> Outcome:
        os.kill(os.getpid(), signal.SIGTERM)
        return make(job)

    bench.engine.behaviours[TRAIN] = stop
    assert bench.verify(130) == {}
    assert not (bench.artifacts / "verify").exists()


def test_a_bundle_without_files_is_made_again_and_compared_by_its_records(bench: Bench, tmp_path: Path) -> None:
    bench.all()
    place = bench.bundle(tmp_path / "site.zip", outputs=False)
    there = bench.artifacts.rename(tmp_path / "other site")
    assert set(words_of(bench.verdicts(against=str(place))).values()) == {"identical"}
    assert "report" in bench.engine.ran
    assert not any(there.parent.glob("artifacts/objects/*"))  # what was made was made aside


def test_what_came_from_the_bundle_is_made_again_and_not_compared_with_itself(bench: Bench, tmp_path: Path) -> None:
    bench.all()
    place = bench.bundle(tmp_path / "site.zip", outputs=True)
    assert set(words_of(bench.verdicts(against=str(place))).values()) == {"identical"}
    assert len(bench.engine.ran) == len(bench.run().steps)
    told = bench.verdicts(11, against=str(place), run=bench.run().id)
    assert set(words_of(told).values()) == {"not verified"}
    assert told[TRAIN]["remarks"] == ["both are copies of one making, which proves nothing"]


def test_a_bundle_is_compared_with_what_the_store_has_under_the_same_keys(bench: Bench, tmp_path: Path) -> None:
    bench.all()
    place = bench.bundle(tmp_path / "site.zip", outputs=True)
    bench.artifacts.rename(tmp_path / "other site")
    bench.all()
    assert set(words_of(bench.verdicts(against=str(place))).values()) == {"identical"}
    assert bench.engine.ran == []


def test_what_was_imported_counts_as_made_by_nobody(bench: Bench, tmp_path: Path) -> None:
    """Else one bundle of a pair would vouch for the other: their records say what their maker likes."""
    bench.all()
    place = bench.bundle(tmp_path / "site.zip", outputs=True)
    bench.artifacts.rename(tmp_path / "other site")
    store = Store(bench.artifacts)
    with Bundle(place) as bundle:
        importing.bring_in(bundle, store, lambda _notice: None)
    for home in (tmp_path / "other site" / "objects").iterdir():
        told = json.loads((home / "record.json").read_text())
        (home / "record.json").write_text(sealed({**told, "seconds": told["seconds"] + 1}))
    elsewhere = Bench(tmp_path / "other site", bench.engine, bench._output)
    twin = elsewhere.bundle(tmp_path / "twin.zip", outputs=True)
    assert set(words_of(bench.verdicts(against=str(twin))).values()) == {"identical"}
    assert len(bench.engine.ran) == len(bench.run().steps)


def test_of_a_stage_that_the_bundle_lacks_nothing_is_told_as_equal(bench: Bench, tmp_path: Path) -> None:
    bench.all()
    place = bench.bundle(tmp_path / "site.zip", outputs=False)
    bench.verify(3, against=str(place), run=bench.run().id, only="parity")
    assert "no artifact of the stage parity" in bench.told


@pytest.mark.parametrize(
    "content", ["[]", "3", '{"milliseconds": []}', '{"milliseconds": {"p50": "x"}}', "[" * 5_000, "{"]
)
def test_a_measurement_that_is_none_is_not_told_as_equal(bench: Bench, content: str) -> None:
    bench.all()

    def behave(job: Job) -> Outcome:
        outcome = make(job)
        (job.out / "latency.json").write_text(content)
        return outcome

    bench.engine.behaviours[BENCHMARK] = behave
    told = bench.verdicts(11)[BENCHMARK]
    assert told["verdict"] == "not verified"


@pytest.mark.parametrize(
    "content", [b"", b"path\n1\n", b"label,predicted\n\xff,1\n", b'label,predicted\n"' + b"x" * 200_000]
)
def test_predictions_that_are_none_are_not_told_as_equal(bench: Bench, content: bytes) -> None:
    bench.all()
    bench.engine.recipes["train"] = {"lock": "1" * 64}

    def behave(job: Job) -> Outcome:
        outcome = make(job)
        (job.out / "predictions.csv").write_bytes(content)
        return outcome

    bench.engine.behaviours[TRAIN] = behave
    assert bench.verdicts(11)[TRAIN]["verdict"] == "not verified"


def test_so_few_images_that_nothing_could_differ_verify_nothing(bench: Bench) -> None:
    bench.engine.behaviours[TRAIN] = writing("predictions.csv", predictions(2, 4))
    bench.all()
    bench.engine.recipes["train"] = {"lock": "1" * 64}
    bench.engine.behaviours[TRAIN] = writing("predictions.csv", predictions(0, 4))
    told = bench.verdicts(11)[TRAIN]
    assert told["verdict"] == "not verified"
    assert "of so few images every share counts as equal" in told["remarks"]


def test_a_difference_is_followed_to_the_step_where_it_arose(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.all()
    place = bench.bundle(tmp_path / "site.zip", outputs=False)
    bench.artifacts.rename(tmp_path / "other site")
    monkeypatch.setattr(
        "coralline.host.facts", lambda _root=None: {"cpu_model": "Another CPU", "cpu_flags_sha256": "", "cores": 2}
    )
    bench.engine.behaviours[TRAIN] = writing("history.csv", "another,history")
    told = bench.verdicts(11, against=str(place))
    assert told["dataset"]["remarks"] == [f"although {told[TRAIN]['first_difference']['text']}"]
    assert told[TRAIN]["first_difference"]["kind"] == "processor"
    assert told[TRAIN]["remarks"] == ["the predictions themselves are not here"]
    processor = told[TRAIN]["first_difference"]["text"]
    assert told[CONVERT]["remarks"] == [f"although input model: {TRAIN} ({processor})"]


def test_a_report_follows_what_it_gathers_when_all_of_that_counts_as_equal(bench: Bench, tmp_path: Path) -> None:
    bench.all()
    place = bench.bundle(tmp_path / "site.zip", outputs=False)
    bench.artifacts.rename(tmp_path / "other site")
    bench.engine.behaviours[BENCHMARK] = writing("latency.json", json.dumps(latency(10.5)))
    bench.engine.behaviours["report"] = writing("report.md", "10.5 ms")
    told = bench.verdicts(against=str(place))
    assert told[BENCHMARK]["verdict"] == told["report"]["verdict"] == "statistically equal"
    assert told["report"]["remarks"] == [normal.GATHERED]
    bench.engine.behaviours[BENCHMARK] = writing("latency.json", json.dumps(latency(50.0)))
    told = bench.verdicts(10, against=str(place))
    assert told["report"]["verdict"] == "different"
    found = told["report"]["first_difference"]["text"]
    assert found == f"input benchmark.{MODEL}.float32.tflite-cpu: {BENCHMARK} ({cause.NOTHING.text})"


def test_a_sweep_is_made_again_at_each_of_its_points(bench: Bench) -> None:
    wanted = request.make(model=MODEL, recipes="float32", settings=["train.seed=1..2"], several=True)
    session.build(wanted, session.Setting(artifacts=bench.artifacts), lambda _notice: None)
    bench.engine.ran.clear()
    told = bench.verdicts(only="train")
    assert list(told) == bench.engine.ran == [f"{TRAIN}@train.seed={seed}" for seed in (1, 2)]
    assert set(words_of(told).values()) == {"identical"}


def test_two_runs_are_compared_side_by_side_without_making_anything(bench: Bench, tmp_path: Path) -> None:
    bench.all(set_=["train.epochs=3"])
    place = bench.bundle(tmp_path / "site.zip", outputs=False)
    bench.all(set_=["train.epochs=4"])
    told = bench.verdicts(10, against=str(place), run=bench.run().id)
    assert bench.engine.ran == []
    assert told[TRAIN]["first_difference"]["text"] == "parameter train.epochs 3 -> 4"
    assert told["dataset"]["verdict"] == "not verified"  # both runs used the one that was made
    bench.artifacts.rename(tmp_path / "other site")
    bench.all(set_=["train.epochs=4"])
    told = bench.verdicts(10, against=str(place), run=bench.run().id)
    assert told["dataset"]["verdict"] == told[CONVERT]["verdict"] == "identical"


def test_what_others_say_stays_in_its_line() -> None:
    cause_ = Cause(kind="processor", text="processor \x1b[2J -> y\n::error::x")
    verdict = Verdict(label="train/x", stage="train", word=Word.DIFFERENT, cause=cause_, remarks=("\x1b]0;x\x07",))
    told = list(verifycommands.lines(Verification(run="r", against=None, verdicts=(verdict,))))
    assert told[2:4] == ["    first difference: processor  [2J -> y ::error::x", "     ]0;x "]


def test_the_answer_as_text_names_level_step_and_cause(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.all(set_=["train.epochs=3"])
    bench.rewrite_run(lambda told: told["request"]["values"].update({"train.epochs": 5}))
    names = ("run", "against", "only", "key", "data", "init", "meter")
    with pytest.raises(SystemExit):
        verifycommands.verify({**dict.fromkeys(names), "engine": "", "jobs": "", "debug": False}, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    place = lines.index(f"different                      L3  {TRAIN}")
    assert lines[place + 1 : place + 3] == ["    first difference: parameter train.epochs 3 -> 5", "    not made again"]
    assert lines[-1].endswith("identical, 1 different")
