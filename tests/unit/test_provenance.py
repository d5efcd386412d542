from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coralline import provenance

FILES = {"model.tflite": ["a" * 64, 3], "conversion.json": ["b" * 64, 2]}
BASE = f"debian:bookworm-slim@sha256:{'f' * 64} 0123456789abcdef"
RECORD: dict[str, Any] = {
    "key": "c" * 64, "digest": "d" * 64, "label": "convert/x/float32", "stage": "convert", "run": "20260102-030405-678",
    "coralline": "0.1.0",
    "key_parts": {
        "stage": "convert", "parameters": {"model": "x", "calibration_images": 8}, "missing": {},
        "inputs": {"dataset": "1" * 64, "data": "2" * 64, "init": "3" * 64, "all": f"{'4' * 64} {'5' * 64}"},
        "code": {"stages/convert/__main__.py": "6" * 64}, "host": None,
        "image": {"name": "convert", "engine": "docker", "lock": "7" * 64, "dockerfile": "8" * 64, "base": BASE},
    },
    "engine": {"name": "docker", "image": "sha256:" + "9" * 64}, "host": {"cpu_model": "abacus"}, "threads": 2,
    "revision": {"commit": "e" * 40, "dirty": True}, "started": "2026-01-02T23:59:59Z", "seconds": 1.6,
}  # fmt: skip


def dependencies(record: dict[str, Any]) -> dict[str, Any]:
    told = provenance.statement(record, FILES)["predicate"]["buildDefinition"]["resolvedDependencies"]
    return {one["name"]: one for one in told}


def test_every_output_is_a_subject_and_so_is_the_artifact() -> None:
    subjects = provenance.statement(RECORD, FILES)["subject"]
    assert subjects == [
        {"name": "objects/" + "c" * 64, "digest": {"corallineContent1": "d" * 64}},
        {"name": "conversion.json", "digest": {"sha256": "b" * 64}},
        {"name": "model.tflite", "digest": {"sha256": "a" * 64}},
    ]


def test_the_dependencies_are_inputs_image_recipe_code_and_commit() -> None:
    told = dependencies(RECORD)
    assert {name: one["digest"] for name, one in told.items()} == {
        "input/dataset": {"corallineContent1": "1" * 64},
        "input/data": {"corallineFolder1": "2" * 64},
        "input/init": {"sha256": "3" * 64},
        "input/all": {"corallineContent1": "4" * 64},
        "image/convert": {"sha256": "9" * 64},
        "image/convert/lock": {"corallineRecipe1": "7" * 64},
        "image/convert/dockerfile": {"corallineRecipe1": "8" * 64},
        "image/convert/base": {"sha256": "f" * 64},
        "stages/convert/__main__.py": {"sha256": "6" * 64},
        "repository": {"gitCommit": "e" * 40},
    }
    assert told["input/all"]["annotations"] == {"key": "5" * 64}
    assert told["repository"]["annotations"] == {"dirty": True}


def test_the_local_engine_s_lock_is_told_by_the_digest_of_the_file() -> None:
    record = copy.deepcopy(RECORD)
    record["engine"] = {"name": "local"}
    record["key_parts"]["image"] = {"name": "convert", "engine": "local", "lock": "7" * 64, "python": "3.11"}
    told = dependencies(record)
    assert told["image/convert/lock"]["digest"] == {"sha256": "7" * 64}
    assert "image/convert" not in told


@pytest.mark.parametrize(("base", "digest"), [("sha256:" + "f" * 64, "f" * 64), ("not made yet", None)])
def test_a_base_is_told_where_it_is_known_by_a_digest(base: str, digest: str | None) -> None:
    record = copy.deepcopy(RECORD)
    record["key_parts"]["image"]["base"] = base
    assert dependencies(record).get("image/convert/base", {}).get("digest", {}).get("sha256") == digest


@pytest.mark.parametrize("revision", [None, "absent"])
def test_without_a_repository_there_is_no_commit(revision: str | None) -> None:
    record = {name: value for name, value in RECORD.items() if name != "revision"}
    assert "repository" not in dependencies(record if revision else {**record, "revision": None})


def test_times_run_and_engine_are_told() -> None:
    told = provenance.statement(RECORD, FILES)["predicate"]["runDetails"]
    assert told["builder"] == {"id": "urn:coralline:engine:docker", "version": {"coralline": "0.1.0"}}
    assert told["metadata"] == {
        "invocationId": "20260102-030405-678",
        "startedOn": "2026-01-02T23:59:59Z",
        "finishedOn": "2026-01-03T00:00:00Z",
    }


def test_a_record_that_names_neither_its_run_nor_its_maker_s_version_leaves_them_out() -> None:
    record = {name: value for name, value in RECORD.items() if name not in ("run", "coralline")}
    told = provenance.statement(record, FILES)["predicate"]["runDetails"]
    assert told["builder"] == {"id": "urn:coralline:engine:docker"}
    assert told["metadata"].keys() == {"startedOn", "finishedOn"}


@given(seconds=st.floats(0, 1e7))
def test_a_step_never_ends_before_it_began(seconds: float) -> None:
    assert provenance.finished({**RECORD, "seconds": seconds}) >= RECORD["started"]
