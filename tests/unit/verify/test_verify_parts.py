"""What verification rests on: causes, intervals, and the table of what may differ between two makings of the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coralline import catalogue, question
from coralline.catalogue import PROJECT
from coralline.errors import ProfileError
from coralline.runs import Run
from coralline.store import Artifact
from coralline.verify import again, cause, latency, levels, normal, proportions
from coralline.verify.normal import Way
from coralline.verify.proportions import Count
from coralline.verify.subject import UNREADABLE
from coralline.verify.verdict import Verdict, Verification, Word, worst
from stages.edgetpu.compiled.operator import read_custom_operator
from stages.tflite.flat import Buffer

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPILED = PROJECT / "tests" / "fixtures" / "edgetpu" / "gabor_64x64_p4_edgetpu.tflite"
LOG = """Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in {} ms.

Input model: {}/model.tflite
Number of Edge TPU subgraphs: {}
"""


def parts(**changed: Any) -> dict[str, Any]:
    told = {"stage": "train", "parameters": {}, "inputs": {}, "code": {}, "image": {}, "host": None, "missing": {}}
    return {**told, **changed}


def record(**changed: Any) -> dict[str, Any]:
    host = {"cpu_model": "One", "cpu_flags": "avx fpu", "cpu_flags_sha256": "a", "cores": 2, "kernel": "6.1"}
    told = {"host": {**host, **changed.pop("host", {})}, "threads": 2, "engine": {"name": "docker", "image": "x"}}
    return {**told, "key_parts": parts(), **changed}


@pytest.mark.parametrize(
    ("changed", "kind", "text"),
    [
        ({"parameters": {"epochs": 3}}, "parameter", "parameter train.epochs nothing -> 3"),
        ({"inputs": {"dataset": "d"}}, "input", "input dataset added"),
        ({"code": {"stages/train/fit.py": "c"}}, "code", "code stages/train/fit.py added"),
        ({"image": {"engine": "local"}}, "image", "image: engine nothing -> local"),
        ({"missing": {"compile": "no vendor"}}, "missing", "missing compile: nothing -> no vendor"),
    ],
)
def test_the_first_part_of_the_key_that_differs_is_the_cause(changed: dict[str, Any], kind: str, text: str) -> None:
    found = cause.of_parts(parts(), parts(**changed), {})
    assert found is not None
    assert (found.kind, found.text) == (kind, text)


def test_an_input_is_named_by_what_is_known_of_it() -> None:
    found = cause.of_parts(parts(inputs={"model": "a"}), parts(inputs={"model": "b"}), {"model": "model: train/x"})
    assert found == cause.input_of("model: train/x")


def test_the_machine_that_measured_is_no_part_but_a_fact() -> None:
    old, new = record(key_parts=parts(host="a")), record(key_parts=parts(host="b"))
    assert cause.of_parts(old["key_parts"], new["key_parts"], {}) is None
    assert cause.of_place(old, new) == cause.Cause(kind="machine", text="another machine of the same kind")


@pytest.mark.parametrize(
    ("changed", "kind", "text"),
    [
        ({"host": {"cpu_model": "Two", "cores": 9}}, "processor", "processor One -> Two"),
        ({"host": {"cpu_flags_sha256": "b", "cpu_flags": "avx avx512f fpu xtopology"}}, "feature", "avx512f, new"),
        ({"host": {"cpu_flags_sha256": "b", "cpu_flags": "fpu"}}, "feature", "CPU feature avx, gone"),
        ({"host": {"cpu_flags_sha256": "b", "cpu_flags": ""}}, "feature", "only a digest"),
        ({"threads": 4}, "threads", "threads 2 -> 4"),
        ({"host": {"cores": 4}}, "cores", "cores 2 -> 4"),
        ({"engine": {"name": "docker", "image": "y"}}, "image", "image: image x -> y"),
        ({"host": {"kernel": "6.2"}}, "kernel", "kernel 6.1 -> 6.2"),
    ],
)
def test_facts_of_the_place_are_named_in_the_order_of_their_weight(
    changed: dict[str, Any], kind: str, text: str
) -> None:
    found = cause.of_place(record(), record(**changed))
    assert found is not None
    assert found.kind == kind
    assert found.text.endswith(text)
    assert cause.rounds_otherwise(found) == (kind != "kernel")


def test_where_nothing_differs_there_is_no_cause() -> None:
    assert cause.of_parts(parts(), parts(), {}) is None
    assert cause.of_place(record(), record()) is None
    assert not cause.rounds_otherwise(cause.NOTHING)


# Newcombe, Statistics in Medicine 17 (1998), table II: contrasts (a), (c), (e) and (h) by method 10, at 95 %.
@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_the_interval_of_a_difference_is_that_of_its_source(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    assert proportions.difference(Count(*other), Count(*one), 0.95) == pytest.approx((low, high), abs=5e-5)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Count, Count]:
    counts = [Count(draw(st.integers(0, n)), n) for n in (draw(st.integers(1, 5000)), draw(st.integers(1, 5000)))]
    return counts[0], counts[1]


@given(pairs())
@settings(deadline=None)
def test_a_share_is_accepted_when_no_difference_lies_in_its_interval(pair: tuple[Count, Count]) -> None:
    original, rebuilt = pair
    low, high = proportions.difference(original, rebuilt, 0.99)
    assert low - 1e-9 <= rebuilt.right / rebuilt.images - original.right / original.images <= high + 1e-9
    (interval,) = proportions.compare({"accuracy": original}, {"accuracy": rebuilt})
    if min(abs(low), abs(high)) > 1e-9:
        assert interval.holds == (low <= 0 <= high)
    assert 0 <= interval.low <= interval.original <= interval.high <= 1
    back = proportions.difference(rebuilt, original, 0.99)
    assert back == pytest.approx((-high, -low))


def test_equal_shares_are_equal_also_where_all_or_none_are_right() -> None:
    for right in (0, 7):
        (interval,) = proportions.compare({"accuracy": Count(right, 7)}, {"accuracy": Count(right, 7)})
        assert interval.holds


def artifact(path: Path, **told: Any) -> Artifact:
    return Artifact("k", path, {"numbers": [], "facts": {}, **told})


def test_shares_are_counted_from_predictions_or_taken_from_the_record(tmp_path: Path) -> None:
    rows = ("path,label,predicted,p0,p1", "a,0,0,1,0", "b,0,1,0,1", "c,1,1,0,1")
    (tmp_path / "predictions.csv").write_text("\n".join(rows) + "\n")
    counted = proportions.counts(artifact(tmp_path))
    assert counted == {"accuracy": (2, 3), "recall of class 0": (1, 2), "recall of class 1": (1, 1)}
    told = [{"metric": "accuracy", "value": 2 / 3, "n": 3, "unit": "1"}]
    assert proportions.counts(artifact(tmp_path / "nowhere", numbers=told)) == {"accuracy": (2, 3)}
    assert proportions.counts(artifact(tmp_path / "nowhere")) == {}


@pytest.mark.parametrize(
    ("right", "images", "could"),
    [(0, 1, False), (2, 4, False), (3, 3, True), (5, 10, False), (10, 10, True), (15, 30, True)],
)
def test_a_few_images_tell_no_network_from_another(right: int, images: int, could: bool) -> None:
    counts = {"accuracy": Count(right, images)}
    assert proportions.could_differ(counts, counts) is could


@pytest.mark.parametrize(("value", "n"), [(float("nan"), 3), (float("inf"), 3), (2.0, 3), (-1.0, 3), (0.5, -4)])
def test_a_share_that_is_none_is_refused(tmp_path: Path, value: float, n: int) -> None:
    told = [{"metric": "accuracy", "value": value, "n": n, "unit": "1"}]
    with pytest.raises(UNREADABLE):
        proportions.counts(artifact(tmp_path / "nowhere", numbers=told))


def measured(p50: float, p99: float, *remarks: str) -> dict[str, Any]:
    return {"milliseconds": {"p50": p50, "p99": p99}, "remarks": remarks}


@pytest.mark.parametrize(
    ("then", "now", "holds"),
    [
        ((10, 10.1), (10.9, 11), True),  # quiet, within the floor
        ((10, 10.1), (11.2, 11.3), False),
        ((10, 14), (13, 13.5), True),  # the original spread as far
        ((10, 10.1), (13, 17), True),  # the rebuilt one did
        ((10, 10.1), (8, 8.1), False),  # faster is different too
        ((10, 90), (16, 80), False),  # a machine so busy says nothing
    ],
)
def test_a_median_may_move_as_far_as_single_inferences_spread(
    tmp_path: Path, then: tuple[float, float], now: tuple[float, float], holds: bool
) -> None:
    one, other = (artifact(tmp_path / "nowhere", facts={"latency": measured(*told)}) for told in (then, now))
    (interval,) = latency.compare(one, other)
    assert interval.holds is holds


def test_all_threads_are_compared_where_both_were_timed_on_them(tmp_path: Path) -> None:
    both = {**measured(10, 11, "unstable"), "all_threads": measured(6, 7, "other work kept 1.0 cores busy")}
    one, other = (artifact(tmp_path / "nowhere", facts={"latency": told}) for told in (both, both))
    assert [each.name for each in latency.compare(one, other)] == ["latency p50", "latency p50 on all threads"]
    doubt = latency.doubts(one, other)
    assert doubt is not None
    assert (doubt.kind, doubt.text) == ("load", "other work kept 1.0 cores busy (now)")
    older = artifact(tmp_path / "nowhere", facts={"latency": {**measured(10, 11), "all_threads": None}})
    assert len(latency.compare(older, other)) == 1
    assert latency.doubts(older, older) is None


def test_the_table_speaks_of_outputs_that_there_are_and_says_why() -> None:
    beside = ("train", "predictions.csv")  # written, and not declared
    for each in normal.RULES:
        spec = catalogue.specs()[each.stage]
        declared = {output.path for one in (spec, *spec.variants) for output in one.outputs}
        assert each.path in declared or (each.stage, each.path) == beside
        assert each.reason
    assert len({(rule.stage, rule.path) for rule in normal.RULES}) == len(normal.RULES)
    assert levels.OF_STAGES.keys() <= catalogue.specs().keys()
    assert {*levels.OF_STAGES.values(), levels.OTHERWISE, "L0"} == levels.LEVELS.keys()


def rule(path: str) -> normal.Rule:
    found = normal.rule_of("compile", path)
    assert found is not None
    return found


def token_places(content: bytes) -> Iterator[int]:
    buffer = Buffer(content).root()
    for operator in (operator for graph in buffer.tables(2) for operator in graph.tables(3)):
        for package in read_custom_operator(operator.part(5)).packages:
            yield from (one.token_place for one in package.executables if one.token_place is not None)


def test_a_compiled_file_is_compared_without_the_compilers_token(tmp_path: Path) -> None:
    content = bytearray(COMPILED.read_bytes())
    for place in token_places(bytes(content)):
        content[place : place + 8] = bytes(range(8))
    other = tmp_path / "model_edgetpu.tflite"
    other.write_bytes(content)
    assert content != COMPILED.read_bytes()
    assert normal.is_equal(rule("model_edgetpu.tflite"), COMPILED, other)
    content[len(content) // 2] ^= 1  # in the parameters
    other.write_bytes(content)
    assert not normal.is_equal(rule("model_edgetpu.tflite"), COMPILED, other)


def test_a_compilers_log_is_compared_without_times_and_folders(tmp_path: Path) -> None:
    files = [tmp_path / name for name in "abc"]
    for file, values in zip(files, [(12, "/in", 1), (3456, "/elsewhere", 1), (12, "/in", 2)], strict=True):
        file.write_text(LOG.format(*values))
    assert normal.is_equal(rule("compiler.log"), files[0], files[1])
    assert not normal.is_equal(rule("compiler.log"), files[0], files[2])


def test_a_compilation_is_compared_without_the_digest_that_has_the_token(tmp_path: Path) -> None:
    documents = [{"sha256": "a", "tpu": 1}, {"sha256": "b", "tpu": 1}, {"sha256": "a", "tpu": 2}]
    files = [tmp_path / name for name in "abc"]
    for file, told in zip(files, documents, strict=True):
        file.write_text(json.dumps(told))
    assert normal.is_equal(rule("compile.json"), files[0], files[1])
    assert not normal.is_equal(rule("compile.json"), files[0], files[2])


def test_what_executes_weights_is_compared_without_the_memory_that_showed_it(tmp_path: Path) -> None:
    def told(path: Path, ram: int, executed_as: str) -> Path:
        kinds = [{"operator": "CONV_2D", "ram_bytes": ram / 7, "executed_as": executed_as}]
        path.write_text(json.dumps({"ram_bytes": ram, "passing_bytes": 2 * ram, "kinds": kinds}))
        return path

    first = told(tmp_path / "a", 4096, "int8")
    found = normal.rule_of("benchmark", "execution.json")
    assert found is not None
    assert normal.is_equal(found, first, told(tmp_path / "b", 8192, "int8"))
    assert not normal.is_equal(found, first, told(tmp_path / "c", 4096, "int4-native"))


def test_a_digest_without_token_is_asked_of_a_reader_with_limits(tmp_path: Path) -> None:
    copy = tmp_path / "x.tflite"
    shutil.copy(COMPILED, copy)
    told = question.ask("digest", copy)
    assert (told["schema"], len(told["sha256_masked"])) == ("coralline.compiled-digest", 64)
    copy.write_bytes(b"no such file")
    with pytest.raises(ProfileError):
        question.ask("digest", copy)


def test_the_worst_verdict_decides_the_exit_code() -> None:
    def code(*words: Word) -> int:
        verdicts = tuple(Verdict(label="x", stage="train", word=word) for word in words)
        return Verification(run="r", against=None, verdicts=verdicts).exit_code

    assert code() == code(Word.IDENTICAL, Word.NORMALISED, Word.STATISTICAL) == 0
    assert code(Word.STATISTICAL, Word.UNVERIFIED) == 11
    assert code(Word.UNVERIFIED, Word.DIFFERENT, Word.IDENTICAL) == 10
    assert code(Word.CORRUPTED, Word.DIFFERENT) == 7
    assert worst([]) is Word.IDENTICAL


def asked(**told: Any) -> Run:
    usual = {"models": ["resnet50v2"], "recipes": ["float32"], "profile": "quick", "values": {}}
    return Run("r", Path("nowhere"), {**usual, **told}, {"parity/resnet50v2/float32": {}})


def test_a_recorded_request_is_read_back_with_all_its_values() -> None:
    found = again.request_of(asked(values={"train.epochs": 3, "dataset.train_shares": [1, 2, 1]}), {})
    assert found.values == {"train.epochs": 3, "dataset.train_shares": (1, 2, 1)}
    assert (found.models, found.recipes, found.again_from) == (("resnet50v2",), ("float32",), "parity")


@pytest.mark.parametrize(
    "told",
    [
        {"values": {"train.epochs": -1}},
        {"values": {"train.epoch": 1}},
        {"values": {"train.epochs": "1"}},
        {"values": []},
        {"values": {"": 1}},
        {"recipes": ["float33"]},
        {"models": 3},
        {"models": [["resnet50v2"]]},
        {"swept": {"train.seed": 3}},
        {"values": {"train.epochs": 10**400}},
        {"values": {"train.learning_rate": 10**400}},
        {"values": {"train.learning_rate": float("inf")}},
    ],
)
def test_a_request_that_cannot_be_is_refused_whoever_recorded_it(told: dict[str, Any]) -> None:
    with pytest.raises(ProfileError):
        again.request_of(asked(**told), {})


def test_a_rule_that_compares_numbers_compares_no_files(tmp_path: Path) -> None:
    for each in normal.RULES:
        if each.way in (Way.LATENCY, Way.PREDICTIONS):
            with pytest.raises(AssertionError):
                normal.is_equal(each, tmp_path, tmp_path)
