"""`./run verify` from the words to the verdicts."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from verifybench import BENCHMARK, CONVERT, MODEL, TRAIN, Bench, latency, make, predictions, words_of, writing

from coralline import request, session
from coralline.commands import verify as verifycommands
from coralline.verify import cause, normal
from coralline.verify.verdict import Cause, Verdict, Verification, Word

if TYPE_CHECKING:
    from coralline.engines.base import Job, Outcome


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
