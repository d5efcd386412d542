"""The paper stage: each of our values from a record, each of the paper's from its file, no verdict without ground."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from htmlpage import Page
from hypothesis import assume, given
from hypothesis import strategies as st
from synthetic_run import HOST, NO_COMPILER, SPEEDS, STARTED_S, Run

from stages.contract import number
from stages.convert.spec import RECIPES
from stages.paper import __main__ as stage
from stages.paper import places, published, verdicts
from stages.paper.published import Value
from stages.paper.spec import SPEC
from stages.report.gather import KERAS, recipe_order

if TYPE_CHECKING:
    from stages.contract import Step

MODELS = ("efficientnetv2b0", "inceptionv3")
PROFILES = Path(__file__).parents[3] / "profiles"


def made(run: Run, out: Path, **parameters: Any) -> Step:
    step = run.step(out, **parameters)
    stage.main(step)
    return step


def document(step: Step) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((step.out / "paper.json").read_text(encoding="utf-8"))
    return found


def cell(step: Step, table: str, model: str, column: str, way: str) -> dict[str, Any]:
    cells = document(step)["tables"][table]
    wanted = {"model": model, "column": column, "way": way}
    found: list[dict[str, Any]] = [one for one in cells if wanted.items() <= one.items()]
    assert len(found) == 1
    return found[0]


def with_balanced_accuracy(run: Run, name: str, low: float, value: float, high: float) -> None:
    """Set the balanced accuracy of a benchmark."""
    record = json.loads((run.inputs[name] / "record.json").read_text())
    others = [one for one in record["numbers"] if one["metric"] != "balanced_accuracy"]
    run.edit(name, numbers=[number("balanced_accuracy", value, "1", 72, (low, high)), *others])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(tmp_path_factory.mktemp("run")).whole(*MODELS)
    run.convert("inceptionv3", "ptq-int8-stock")
    run.benchmark("inceptionv3", "ptq-int8-stock", "tflite-cpu")
    run.qat("inceptionv3", "qat-int8", accuracy=0.79)
    return run


@pytest.fixture(scope="module")
def step(run: Run) -> Step:
    return made(run, run.root / "paper" / "out")


def test_every_published_table_is_complete() -> None:
    told = published.read()
    for model in told.paper["models"]:
        for table in published.TABLES:
            for column in told.columns(table):
                value = told.value(table, model, column)
                assert value is not None
                assert value.value > 0
    assert [len(told.paper["latency"][name]) for name in ("columns", "processors")] == [4, 4]
    assert told.value("energy", "inceptionv3", "GPU") == Value(2.123 * 300, 0.062 * 300)


def test_by_all_models_the_published_are_meant() -> None:
    assert set(SPEC.all_models) == set(published.read().paper["models"])


def test_every_published_column_has_a_place_and_every_place_a_recipe_that_is_made() -> None:
    told = published.read()
    assert list(places.ACCURACY) == told.columns("accuracy")
    assert list(places.LATENCY) == told.columns("latency")
    named = {
        place.recipe for columns in (places.ACCURACY, places.LATENCY) for all_ in columns.values() for place in all_
    }
    studied = {recipe for row in told.studied() for recipe in row["recipes"]}
    assert (named | studied) - {KERAS} <= set(SPEC.default_recipes) <= set(RECIPES)
    assert max(recipe_order(recipe)[0] for recipe in SPEC.default_recipes) < recipe_order("unknown")[0]


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100))
def test_without_a_spread_of_the_paper_s_an_accuracy_agrees_where_our_interval_holds_it(
    paper: float, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    middle = low + (high - low) / 2
    assume(min(abs(paper - low), abs(paper - high)) > 1e-9)
    ours = verdicts.Ours(middle, artifact=None, low=low, high=high)  # type: ignore[arg-type]
    verdict = verdicts.of_accuracy(Value(paper), ours, 0.0)
    assert (verdict == verdicts.AGREES) == (low < paper < high)
    assert (verdict == verdicts.BETTER) == (paper < low)
    assert (verdict == verdicts.WORSE) == (paper > high)


def test_the_spreads_of_both_sides_count_and_of_ours_the_side_that_faces_the_paper_s() -> None:
    ours = verdicts.Ours(80.0, artifact=None, low=77.0, high=81.0)  # type: ignore[arg-type]
    for paper, verdict in ((75.01, "agrees"), (74.99, "better"), (84.1, "agrees"), (84.2, "worse")):
        assert verdicts.of_accuracy(Value(paper), ours, 4.0) == verdict, paper  # 3, 4, 5; and the root of 17


def test_equal_networks_are_called_different_in_one_of_twenty_cells() -> None:
    told, rng, share, n = published.read(), np.random.default_rng(1), 0.8, np.array([1000, 1000, 1000])
    theirs = 100 * (rng.binomial(told.paper["test_class_counts"], share, (4000, 3)) / told.paper["test_class_counts"])
    ours = 100 * (rng.binomial(n, share, (4000, 3)) / n)
    width = 1.96 * 100 * np.sqrt(share * (1 - share) / n.sum())
    judged = [
        verdicts.of_accuracy(
            Value(there),
            verdicts.Ours(here, None, low=here - width, high=here + width),
            told.half_width(there),  # type: ignore[arg-type]
        )
        for there, here in zip(theirs.mean(axis=1), ours.mean(axis=1), strict=True)
    ]
    apart = 1 - judged.count(verdicts.AGREES) / len(judged)
    assert 0.04 < apart < 0.06  # 0.05, and three binomial deviations of 4000; our interval alone gives 0.13


def test_an_accuracy_without_an_interval_gets_no_verdict() -> None:
    ours = verdicts.Ours(80.0, artifact=None)  # type: ignore[arg-type]
    assert verdicts.of_accuracy(Value(80.0), ours, 1.0) == verdicts.NO_INTERVAL


def test_the_paper_s_test_events_are_those_of_its_profile() -> None:
    paper = published.read().paper
    profile = tomllib.loads((PROFILES / "paper.toml").read_text(encoding="utf-8"))["dataset"]
    assert paper["test_class_counts"] == profile["test_shares"]
    assert sum(paper["test_class_counts"]) == paper["test_events"] == profile["test_events"]


@given(st.floats(0.1, 1e4), st.floats(0.1, 1e4), st.floats(0, 100), st.sampled_from(["", "other hardware"]))
def test_a_duration_is_judged_only_where_nothing_bars_it(paper: float, value: float, std: float, bar: str) -> None:
    ours = verdicts.Ours(value, artifact=None, std=std)  # type: ignore[arg-type]
    verdict = verdicts.of_duration(Value(paper, std), ours, bar)
    if bar:
        assert verdict == bar
    else:
        assert (verdict == verdicts.BETTER) == (value < paper and abs(value - paper) > 2 * std)
        assert (verdict == verdicts.AGREES) == (abs(value - paper) <= 2 * std)


def test_every_declared_output_is_there_and_names_no_time_and_no_place(step: Step) -> None:
    assert {path.name for path in step.out.iterdir()} == {*(o.path for o in SPEC.outputs), "figures", "record.json"}
    for path in step.out.rglob("*"):
        if path.is_file():
            content = path.read_text(encoding="utf-8")
            assert str(step.out.parent.parent) not in content
            assert "2026-01-01" not in content


def test_the_same_artifacts_give_the_same_bytes(run: Run, step: Step, tmp_path: Path) -> None:
    moved = Run(tmp_path / "elsewhere", inputs=dict(reversed(run.inputs.items())), missing=run.missing[::-1])
    for name, folder in moved.inputs.items():
        moved.inputs[name] = shutil.copytree(folder, moved.root / name)
    again = made(moved, tmp_path / "out")
    paths = sorted(path.relative_to(step.out) for path in step.out.rglob("*") if path.is_file())
    assert paths == sorted(path.relative_to(again.out) for path in again.out.rglob("*") if path.is_file())
    for path in paths:
        assert (again.out / path).read_bytes() == (step.out / path).read_bytes(), path


def test_our_accuracies_are_those_of_the_records(run: Run, step: Step) -> None:
    for column, way, name, metric in (
        ("TF", "both", "benchmark.inceptionv3.float32-keras.keras-cpu", "balanced_accuracy"),
        ("PTQ", "paper", "benchmark.inceptionv3.ptq-int8-stock.tflite-cpu", "balanced_accuracy"),
        ("PTQ", "ours", "benchmark.inceptionv3.ptq-int8.tflite-cpu", "balanced_accuracy"),
        ("TF QAT", "ours", "qat.inceptionv3.qat-int8", "simulated_balanced_accuracy"),
    ):
        record = json.loads((run.inputs[name] / "record.json").read_text())
        told = next(one for one in record["numbers"] if one["metric"] == metric)
        ours = cell(step, "accuracy", "inceptionv3", column, way)["ours"]
        assert ours["artifact"] == record["key"]
        assert ours["n"] == 72
        assert ours["value"] == pytest.approx(100 * told["value"])
        assert ours["interval"] == pytest.approx([100 * bound for bound in told["interval"]])


def test_a_verdict_follows_from_the_interval_of_its_record(tmp_path: Path) -> None:
    run = Run(tmp_path).whole("inceptionv3")  # the paper's PTQ: 87.14
    name = "benchmark.inceptionv3.ptq-int8.tflite-cpu"
    for index, (low, high, verdict) in enumerate(
        ((0.86, 0.88, "agrees"), (0.89, 0.91, "better"), (0.80, 0.85, "worse"))
    ):
        with_balanced_accuracy(run, name, low, (low + high) / 2, high)
        found = cell(made(run, tmp_path / str(index)), "accuracy", "inceptionv3", "PTQ", "ours")
        assert found["verdict"] == verdict
        assert found["difference"] == pytest.approx(50 * (low + high) - 87.14)


def test_what_could_not_be_made_says_why_and_what_was_not_asked_for_says_so(step: Step) -> None:
    blocked = cell(step, "accuracy", "inceptionv3", "Edge TPU PTQ", "ours")
    assert (blocked["verdict"], blocked["reason"], blocked["ours"]) == ("not measurable here", NO_COMPILER, None)
    other = cell(step, "accuracy", "inceptionv3", "Edge TPU QAT", "paper")
    assert (other["verdict"], other["reason"]) == ("not run", places.NOT_ASKED)
    gpu = cell(step, "latency", "inceptionv3", "GPU", "both")
    assert (gpu["verdict"], gpu["reason"]) == ("not run", places.NO_GPU)


def test_the_first_step_that_failed_is_the_reason(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.dataset()
    run.train("inceptionv3", 1)
    run.miss("benchmark/inceptionv3/qat-int8/tflite-cpu", "needs convert/inceptionv3/qat-int8")
    run.miss("convert/inceptionv3/qat-int8", "needs qat/inceptionv3/qat-int8")
    run.miss("qat/inceptionv3/qat-int8", "no wheel of TensorFlow 2.15 here")
    step = made(run, tmp_path / "out")
    for column in ("TF QAT", "QAT quantised"):
        found = cell(step, "accuracy", "inceptionv3", column, "ours")
        assert (found["verdict"], found["reason"]) == ("not measurable here", "no wheel of TensorFlow 2.15 here")


def test_latencies_of_other_processors_are_a_ratio_and_never_judged(step: Step) -> None:
    found = cell(step, "latency", "inceptionv3", "CPU", "both")
    assert found["verdict"] == "other hardware"
    assert found["ratio"] == pytest.approx(SPEEDS[KERAS] / 40.978)


def measured_on(run: Run, where: str, mean: float, **latency: Any) -> None:
    """Benchmark inceptionv3 with the paper's image size: a mean of `mean` ms, parts of `latency.json` as given."""
    run.dataset()
    run.train("inceptionv3", 1)
    run.benchmark("inceptionv3", KERAS, where)
    name = f"benchmark.inceptionv3.{KERAS}.{where}"
    run.edit(name, numbers=[number(f"latency_{n}_ms", v, "ms", 9) for n, v in (("mean", mean), ("std", 0.04))])
    place = run.inputs[name] / "latency.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), **latency}))
    (run.inputs["train.inceptionv3"] / "model.json").write_text(json.dumps({"input_size": 299}))


@pytest.mark.parametrize(
    ("size", "mean", "verdict"),
    [(128, 2.1, "other image size"), (299, 2.2, "agrees"), (299, 1.0, "better"), (299, 9.0, "worse")],
)
def test_on_the_paper_s_own_gpu_a_latency_is_judged(tmp_path: Path, size: int, mean: float, verdict: str) -> None:
    run = Run(tmp_path)
    measured_on(run, "keras-gpu", mean, runtime={"gpu": "NVIDIA A100 80GB PCIe"})
    (run.inputs["train.inceptionv3"] / "model.json").write_text(json.dumps({"input_size": size}))
    step = made(run, tmp_path / "out")
    for table in ("latency", "energy"):  # 300 W on either side: one comparison
        assert cell(step, table, "inceptionv3", "GPU", "both")["verdict"] == verdict


def test_on_an_edge_tpu_a_latency_is_judged(tmp_path: Path) -> None:
    run = Run(tmp_path)
    measured_on(run, "keras-cpu", 20.0)
    run.benchmark("inceptionv3", "ptq-int8", "edgetpu")
    step = made(run, tmp_path / "out")
    for table in ("latency", "energy"):
        assert cell(step, table, "inceptionv3", "Edge TPU PTQ", "ours")["verdict"] == "better"
    assert (
        cell(made(run, tmp_path / "other", edgetpu_tdp_w=4.5), *("energy", "inceptionv3", "Edge TPU PTQ", "ours"))[
            "verdict"
        ]
        == "other TDP"
    )


def test_a_slice_of_the_paper_s_gpu_is_another(tmp_path: Path) -> None:
    run = Run(tmp_path)
    measured_on(run, "keras-gpu", 2.1, runtime={"gpu": "NVIDIA A100 80GB PCIe MIG 1g.10gb"})
    step = made(run, tmp_path / "out")
    assert cell(step, "latency", "inceptionv3", "GPU", "both")["verdict"] == "other hardware"
    assert "name it with --tdp gpu=WATTS" in cell(step, "energy", "inceptionv3", "GPU", "both")["reason"]


def test_a_cpu_is_never_judged_since_its_threads_are_not_published(tmp_path: Path) -> None:
    run = Run(tmp_path)
    measured_on(run, "keras-cpu", 41.0, machine={"cpu_model": "AMD EPYC 7763 64-Core Processor"})
    step = made(run, tmp_path / "out")
    for table in ("latency", "energy"):
        found = cell(step, table, "inceptionv3", "CPU", "both")
        assert found["verdict"] == "threads not published"
        assert found["ratio"] == pytest.approx(41.0 / 40.978)
    page = (step.out / "paper.md").read_text(encoding="utf-8")
    assert "AMD EPYC 7763 64-Core Processor threads: 1; in Example CPU 9000, 2 cores" in page


@pytest.mark.parametrize(
    ("runtime", "column", "mean", "told"),
    [
        ("keras-gpu", "GPU", 2.123, {"runtime": {"gpu": "NVIDIA A100-SXM4-80GB"}}),
        ("keras-cpu", "CPU", 40.978, {"machine": {"cpu_model": "AMD EPYC 7763 64-Core Processor"}}),
    ],
)
def test_an_energy_with_another_tdp_is_not_judged(
    tmp_path: Path, runtime: str, column: str, mean: float, told: dict[str, Any]
) -> None:
    run = Run(tmp_path)
    measured_on(run, runtime, mean, **told)
    step = made(run, tmp_path / "out", cpu_tdp_w=65.0)
    found = cell(step, "energy", "inceptionv3", column, "both")
    assert found["verdict"] == "other TDP"
    assert found["ratio"] == pytest.approx(400 / 300 if column == "GPU" else 65 / 280)


def test_an_energy_is_the_proxy_of_the_tdp_that_was_given(run: Run, step: Step, tmp_path: Path) -> None:
    found = cell(made(run, tmp_path / "out", cpu_tdp_w=65.0), "energy", "inceptionv3", "CPU", "both")
    assert found["ours"]["value"] == pytest.approx(65 * SPEEDS[KERAS])
    assert found["verdict"] == "other hardware"
    unknown = cell(step, "energy", "inceptionv3", "CPU", "both")
    assert unknown["ours"] is None
    assert "--tdp cpu=WATTS" in unknown["reason"]


def test_what_a_meter_measured_stands_beside_the_proxy_and_is_not_compared(tmp_path: Path) -> None:
    run = Run(tmp_path)
    measured_on(run, "keras-cpu", 20.0, runs=100, window={"begin_s": STARTED_S + 4.0, "end_s": STARTED_S + 6.0})
    assert cell(made(run, tmp_path / "without"), "energy", "inceptionv3", "CPU", "both")["measured"] is None
    log = [(STARTED_S - 60 + tick / 10, 6.0 if 600 <= tick <= 720 else 1.5) for tick in range(1400)]
    run.inputs["meter"] = tmp_path / "power.csv"
    run.inputs["meter"].write_text("time_s,power_w\n" + "".join(f"{time:.1f},{watts}\n" for time, watts in log))
    step = made(run, tmp_path / "with")
    found = cell(step, "energy", "inceptionv3", "CPU", "both")
    assert found["ours"] is None  # this processor's TDP is not known
    assert found["measured"]["value"] == pytest.approx(1000 * 4.5 * 2 / 100)
    page = (step.out / "paper.md").read_text(encoding="utf-8")
    assert "measured above idle, mJ" in page
    assert "Example CPU 9000 threads: 1" in page.split("## Table 3", 1)[1].split("\n## ", 1)[0]
    assert "measured above idle, mJ" not in (tmp_path / "without" / "paper.md").read_text(encoding="utf-8")
    of_stick = cell(made(run, tmp_path / "stick", meter_on="edgetpu"), "energy", "inceptionv3", "CPU", "both")
    assert of_stick["measured"] is None


def test_durations_of_two_machines_share_no_table_no_front_and_no_figure(tmp_path: Path) -> None:
    run = Run(tmp_path / "run").whole("efficientnetv2b0", "inceptionv3")
    for name in run.inputs:
        if name.startswith("benchmark.inceptionv3.") or name == "benchmark.efficientnetv2b0.float16.tflite-cpu":
            run.edit(name, host={**HOST, "cpu_model": "Other CPU", "fingerprint": 2 * "89abcdef"})
    step = made(run, tmp_path / "out", cpu_tdp_w=65.0)
    source = (step.out / "paper.html").read_text(encoding="utf-8")
    page = Page(source)
    assert len(page.ids) == len(set(page.ids))
    assert {"pareto", "pareto-2"} <= set(page.ids)
    assert {f"{name}{number}.svg" for name in ("pareto", "figure-3") for number in ("", "-2")} <= {
        path.name for path in (step.out / "figures").iterdir()
    }
    told = (step.out / "paper.md").read_text(encoding="utf-8")
    table_2 = told.split("## Table 2", 1)[1].split("\n## ", 1)[0]
    for model, machine in (("EfficientNetV2B0", "Example CPU 9000"), ("InceptionV3", "Other CPU")):
        (line,) = (line for line in table_2.splitlines() if line.startswith(f"| {model} ") and "| CPU " in line)
        assert f"in {machine}, 2 cores" in line
    study = told.split("## TFLite study", 1)[1].split("\n## ", 1)[0]
    assert "p50, ms, Example CPU 9000, 2 cores" in study
    assert "p50, ms, Other CPU, 2 cores" in study


def test_what_evaluated_a_network_is_named_by_its_number(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.dataset()
    run.train("inceptionv3", 1)
    run.qat("inceptionv3", "qat-int8")
    told = number("simulated_balanced_accuracy", 0.8, "1", 72, (0.7, 0.9), runtime="keras-gpu")
    run.edit("qat.inceptionv3.qat-int8", numbers=[told])
    step = made(run, tmp_path / "out")
    assert cell(step, "accuracy", "inceptionv3", "TF QAT", "ours")["runtime"] == "keras-gpu"
    assert "| keras-gpu simulated |" in (step.out / "paper.md").read_text(encoding="utf-8")


def test_a_model_that_the_paper_has_not_is_shown_without_a_verdict(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.dataset()
    run.train("mobilenet", 1)
    run.benchmark("mobilenet", KERAS, "keras-cpu")
    step = made(run, tmp_path / "out")
    told = document(step)
    assert {one["verdict"] for cells in told["tables"].values() for one in cells} == {"not in the paper"}
    assert cell(step, "accuracy", "mobilenet", "TF", "both")["ours"] is not None


def test_the_study_is_compared_by_ratio_and_only_with_its_own_model(step: Step, tmp_path: Path) -> None:
    page = (step.out / "paper.md").read_text(encoding="utf-8")
    study = page.split("## TFLite study", 1)[1].split("\n## ", 1)[0]
    float16 = next(line for line in study.splitlines() if line.startswith("| float16"))
    assert "13,995\N{DAGGER}" in float16
    assert "2.00" in float16
    assert float16.rstrip(" |").endswith("agrees")
    dynamic = next(line for line in study.splitlines() if line.startswith("| dynamic"))
    assert dynamic.rstrip(" |").endswith("better")  # 87.3 / 22.5 = 3.88 against 3.6
    other = made(Run(tmp_path / "run").whole("inceptionv3"), tmp_path / "out")
    assert "TFLite study" not in (other.out / "paper.md").read_text(encoding="utf-8")


def test_the_page_says_first_that_the_data_are_others(step: Step, tmp_path: Path) -> None:
    source = (step.out / "paper.html").read_text(encoding="utf-8")
    assert "This is not the paper&#39;s data set." in source.split("<main>")[0]
    assert "neither GENIE nor Geant4" in source.split("<main>")[0]
    run = Run(tmp_path)
    run.dataset(source="folder")
    run.train("inceptionv3", 1)
    assert "GENIE nor" not in (made(run, tmp_path / "out").out / "paper.html").read_text(encoding="utf-8")


def test_a_value_of_the_paper_never_looks_like_one_of_ours(step: Step) -> None:
    source = (step.out / "paper.html").read_text(encoding="utf-8")
    cells = re.findall(r'<td class="([^"]*)"[^>]*>(.*?)</td>', source)
    assert any("published" in kind for kind, _ in cells)
    assert all(("\N{DAGGER}" in text) == ("published" in kind) for kind, text in cells)


def test_the_page_is_balanced_loads_nothing_and_every_link_has_its_target(step: Step) -> None:
    source = (step.out / "paper.html").read_text(encoding="utf-8")
    page = Page(source)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert all(link.startswith("#") or link == "data:," for link in page.links)
    assert source.count("<script>") == 1
    assert not re.search(r"@import|url\((?!#)", source)


def test_hostile_class_names_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    nasty = ("<script>alert(1)", "<img src=x onerror=alert(1)>", "$x^2$ | `a`")
    step = made(Run(tmp_path, classes=nasty, tests=3).whole("inceptionv3"), tmp_path / "out")
    source = (step.out / "paper.html").read_text(encoding="utf-8")
    assert source.count("<script>") == 1
    Page(source)


def test_markdown_tables_have_one_width_and_its_figures_exist(step: Step) -> None:
    source = (step.out / "paper.md").read_text(encoding="utf-8")
    for block in re.findall(r"(?:^\|.*\n)+", source, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1, block
    figures = re.findall(r"\]\((figures/[^)]+)\)", source)
    assert {"figures/figure-2-ptq.svg", "figures/figure-2-qat.svg", "figures/figure-3.svg"} < set(figures)
    assert all((step.out / figure).is_file() for figure in figures)


def test_a_run_that_made_nothing_but_data_still_has_a_page(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.dataset()
    run.miss("train/inceptionv3", "no wheel of TensorFlow 2.15 here")
    step = made(run, tmp_path / "out")
    assert cell(step, "accuracy", "inceptionv3", "TF", "both")["reason"] == "no wheel of TensorFlow 2.15 here"
