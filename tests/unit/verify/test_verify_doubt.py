"""What proves nothing is told as that, and never as equal."""

from __future__ import annotations

import pytest
from verifybench import BENCHMARK, CONVERT, TRAIN, Bench, make, predictions, writing

from coralline.engines.base import Job, Outcome


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
