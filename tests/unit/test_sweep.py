from __future__ import annotations

import itertools
import re
import statistics
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coralline import graph, request, spread, sweep
from coralline.commands import farm
from coralline.commands.requests import jobs_of
from coralline.errors import ProfileError
from coralline.results import rows
from coralline.runs import Run
from coralline.store import Artifact, Store
from stages.spec import Parameter

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = Parameter("seed", "int", 1, "a seed", minimum=-100, maximum=100_000_000)
RATE = Parameter("rate", "float", 0.1, "a rate", minimum=0.0, maximum=1.0)
SHARES = Parameter("shares", "ints", (1, 1), "shares", minimum=1)
MODEL = "resnet50v2"


def ask(*settings: str, **options: Any) -> request.Request:
    words = {"model": MODEL, "recipes": "float32,ptq-int8", "only": "benchmark"} | options
    return request.make(**words, settings=settings, several=True)


def labels(*settings: str, **options: Any) -> list[str]:
    return list(graph.draw(ask(*settings, **options)))


@given(st.integers(-100, 100), st.integers(0, 50))
def test_a_range_holds_both_its_ends(first: int, length: int) -> None:
    assert sweep.values(WHOLE, f"{first}..{first + length}", "") == tuple(range(first, first + length + 1))


@given(st.lists(st.integers(-100, 1000), min_size=1))
def test_a_list_keeps_its_order_and_each_value_once(numbers: list[int]) -> None:
    assert sweep.values(WHOLE, ",".join(map(str, numbers)), "") == tuple(dict.fromkeys(numbers))


@given(st.lists(st.floats(0.0, 1.0), min_size=1), st.lists(st.lists(st.integers(1, 9), min_size=1), min_size=1))
def test_a_value_is_written_as_it_is_read(rates: list[float], shares: list[list[int]]) -> None:
    for rate in rates:
        assert sweep.values(RATE, sweep.shown(rate), "") == (rate,)
    for share in shares:
        assert sweep.values(SHARES, sweep.shown(tuple(share)), "") == (tuple(share),)


@given(
    st.dictionaries(
        st.text("abc.", min_size=1), st.lists(st.integers(), min_size=1, max_size=4, unique=True), max_size=4
    )
)
def test_points_are_every_combination_once(swept: dict[str, list[int]]) -> None:
    found = [tuple(point.items()) for point in sweep.points({name: tuple(several) for name, several in swept.items()})]
    assert found == [tuple(zip(swept, chosen, strict=True)) for chosen in itertools.product(*swept.values())]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("3..1", "is empty"),
        ("1..1000000", "1000000 points"),
        ("1..2..3", "not possible"),
        ("1,", "not possible"),
        ("-200..1", "not possible"),
        ("1..b", "not possible"),
        ("1.." + "9" * 5000, "not possible"),
    ],
)
def test_a_wrong_list_is_refused(word: str, said: str) -> None:
    with pytest.raises(ProfileError, match=said):
        sweep.values(WHOLE, word, "--set train.seed")


@pytest.mark.parametrize("word", ["0", "-1", "two", "9" * 5000])
def test_a_wrong_number_of_jobs_is_refused(word: str) -> None:
    with pytest.raises(ProfileError, match="is not possible"):
        jobs_of(word)


def test_a_sweep_that_is_far_too_large_is_refused() -> None:
    with pytest.raises(ProfileError, match="the sweep has 250000 points"):
        labels("train.seed=1..500", "dataset.seed=1..500")


def test_what_no_swept_parameter_reaches_is_drawn_once() -> None:
    found = labels("train.seed=1..3")
    assert found.count("dataset") == 1
    assert [label for label in found if label.startswith("train/")] == [
        f"train/{MODEL}@train.seed={n}" for n in (1, 2, 3)
    ]
    assert all("@train.seed=" in label for label in found if label != "dataset")


def test_a_step_is_named_by_what_reaches_it_and_no_more() -> None:
    found = labels("train.seed=1,2", "convert.calibration_images=8,16")
    assert f"convert/{MODEL}/float32@train.seed=1" in found
    assert f"convert/{MODEL}/ptq-int8@train.seed=1,convert.calibration_images=8" in found
    assert len(found) == len(set(found))


def test_points_are_drawn_as_single_requests_are() -> None:
    swept = graph.draw(ask("train.seed=1,2", "train.epochs=3,5"))
    for seed, epochs in itertools.product((1, 2), (3, 5)):
        end = f"@train.seed={seed},train.epochs={epochs}"
        for label, step in graph.draw(ask(f"train.seed={seed}", f"train.epochs={epochs}")).items():
            drawn = swept[label + end] if label != "dataset" else swept[label]
            assert (drawn.parameters, drawn.variant) == (step.parameters, step.variant)
            assert drawn.needs == tuple(need + end if need != "dataset" else need for need in step.needs)


def test_one_value_is_no_sweep() -> None:
    assert ask("train.seed=4,4").swept == {}
    assert labels("train.seed=4") == labels("train.seed=5")


def test_a_parameter_given_again_has_both_values() -> None:
    assert ask("dataset.train_shares=1,1,1", "dataset.train_shares=2,1,1").swept == {
        "dataset.train_shares": ((1, 1, 1), (2, 1, 1))
    }


def test_a_swept_value_of_one_model_reaches_that_model_only() -> None:
    found = labels(f"train.{MODEL}.epochs=1,2", model=f"{MODEL},inceptionv3")
    assert "train/inceptionv3" in found
    assert f"train/{MODEL}@train.{MODEL}.epochs=2" in found


def test_every_point_is_checked_as_a_request_is() -> None:
    with pytest.raises(ProfileError, match="32 is too small for inceptionv3"):
        ask("train.input_size=224,32", model="inceptionv3")


def test_without_a_sweep_several_values_are_refused() -> None:
    with pytest.raises(ProfileError, match=re.escape("train.seed = '1..3' is not possible")) as told:
        request.make(model=MODEL, settings=["train.seed=1..3"])
    assert "./run sweep" in told.value.hint
    with pytest.raises(ProfileError, match="is not possible") as told:
        request.make(model=MODEL, settings=["train.seed=one"])
    assert "./run sweep" not in told.value.hint


def test_a_swept_parameter_that_changes_nothing_is_refused() -> None:
    with pytest.raises(ProfileError, match="calibration_images changes nothing"):
        labels("convert.calibration_images=8,16", recipes="float32")


def test_a_name_too_long_for_a_file_is_refused() -> None:
    names = ("seed", "noise_hits", "e_min", "gain", "diff_t", "diff_l", "margin", "min_pix", "smear", "thr")
    with pytest.raises(ProfileError, match="too much for one run"):
        labels(*(f"dataset.{name}=1,2" for name in names))


@pytest.mark.parametrize(
    ("name", "is_seed"),
    [("train.seed", True), ("convert.calibration_seed", True), ("train.m.seed", True), ("a.seeds", False)],
)
def test_a_seed_is_known_by_its_name(name: str, is_seed: bool) -> None:
    assert sweep.is_seed(name) is is_seed


def swept_run(tmp_path: Path, scores: dict[tuple[int, int], float]) -> tuple[Run, Store]:
    """A run over train.seed and train.epochs with one score each."""
    store, run = Store(tmp_path), Run("r", tmp_path / "runs" / "r", {"swept": {"train.seed": [1, 2]}})
    for number, ((seed, epochs), score) in enumerate(scores.items()):
        key = f"{number:064}"
        record = {
            "key": key,
            "digest": key,
            "stage": "benchmark",
            "host": {"cpu_model": "one", "cores": 2},
            "axes": {"model": MODEL, "recipe": "float32", "runtime": "tflite-cpu"},
            "numbers": [{"metric": "balanced_accuracy", "value": score, "unit": "1"}],
        }
        save(Artifact(key, tmp_path / "objects" / key, record))
        point = {"train.seed": seed, "train.epochs": epochs}
        run.steps[str(number)] = {"state": "made", "key": key, "reason": "", "point": point}
    return run, store


def save(artifact: Artifact) -> None:
    from coralline.key import canonical

    artifact.path.mkdir(parents=True)
    (artifact.path / "record.json").write_bytes(canonical(artifact.record))


def test_numbers_are_gathered_over_seeds_for_each_configuration(tmp_path: Path) -> None:
    run, store = swept_run(tmp_path, {(1, 4): 0.5, (2, 4): 0.7, (1, 8): 0.9, (2, 8): 0.9})
    few, many = spread.lines(rows(run, store))
    assert (few["point"], few["n"], few["mean"]) == ({"train.epochs": 4}, 2, pytest.approx(0.6))
    assert few["spread"] == pytest.approx(statistics.stdev([0.5, 0.7]))
    assert (few["least"], few["most"]) == (0.5, 0.7)
    assert [value["seeds"] for value in few["values"]] == [{"train.seed": 1}, {"train.seed": 2}]
    assert many["spread"] == 0.0
    headers, cells = spread.table([few, many])
    assert headers == ["train.epochs", "model", "recipe", "runtime", "n", "balanced accuracy"]
    assert cells[0] == ["4", MODEL, "float32", "tflite-cpu", "2", "0.600 ± 0.141"]


def test_a_single_number_has_no_spread(tmp_path: Path) -> None:
    run, store = swept_run(tmp_path, {(1, 4): 0.5})
    (line,) = spread.lines(rows(run, store))
    assert (line["n"], line["spread"]) == (1, None)
    assert spread.table([line])[1][0][-1] == "0.500"
    assert spread.document(run, [line])["rows"] == [line]


def test_where_something_was_made_but_not_measured_is_no_machine_of_latencies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, run = Store(tmp_path), Run("r", tmp_path / "runs" / "r", {"swept": {"train.seed": [1, 2]}})
    for stage, metric, host in (("convert", "size_bytes", "two"), ("benchmark", "latency_mean_ms", "one")):
        record = {
            "key": stage,
            "digest": stage,
            "stage": stage,
            "host": {"cpu_model": host, "cores": 2},
            "axes": {"model": MODEL, "recipe": "float32", "runtime": "tflite-cpu"},
            "numbers": [{"metric": metric, "value": 1.0, "unit": "ms"}],
        }
        save(Artifact(stage, store.root / "objects" / stage, record))
        run.steps[stage] = {"state": "made", "key": stage, "reason": "", "point": {"train.seed": 1}}
    monkeypatch.setattr(farm.catalogue, "artifacts", lambda: tmp_path)
    farm.show(run, as_json=False)
    assert "more than one machine" not in capsys.readouterr().out
