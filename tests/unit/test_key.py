from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from coralline import key

names = st.text("abcdefghij_./-", min_size=1, max_size=8)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
values = st.one_of(st.integers(-5, 5), st.floats(0, 1), st.text(max_size=5), st.booleans())
parts = st.fixed_dictionaries(
    {
        "stage": st.just("train"),
        "parameters": st.dictionaries(names, values, min_size=1, max_size=4),
        "inputs": st.dictionaries(names, digests, min_size=1, max_size=3),
        "code": st.dictionaries(names, digests, min_size=1, max_size=3),
        "image": st.dictionaries(st.sampled_from(["lock", "dockerfile", "base"]), digests, min_size=1),
        "host": st.one_of(st.none(), digests),
        "missing": st.dictionaries(names, st.text(max_size=5), max_size=2),
    }
)
SAID = {"parameters": "parameter train.{}", "inputs": "input {}", "code": "code {}"}


@given(parts, st.data())
def test_one_edited_component_changes_the_key_and_exactly_it_is_named(old: dict[str, Any], data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["parameters", "inputs", "code", "image"]))
    name = data.draw(st.sampled_from(sorted(old[kind])))
    new = copy.deepcopy(old)
    before = old[kind][name]
    new[kind][name] = data.draw((values if kind == "parameters" else digests).filter(lambda value: value != before))
    assert key.key_of(new) != key.key_of(old)
    said = key.difference(old, new)
    assert said is not None
    if kind == "image":
        assert said == "image: " + {"lock": "requirements.lock", "dockerfile": "Dockerfile", "base": "base image"}[name]
    else:
        assert said == SAID[kind].format(name) or said.startswith(SAID[kind].format(name) + " ")


@given(parts)
def test_equal_parts_have_one_key_and_no_difference(told: dict[str, Any]) -> None:
    again = json.loads(json.dumps(told))
    assert key.key_of(again) == key.key_of(told)
    assert key.difference(told, again) is None


@given(parts, digests)
def test_another_host_is_named(told: dict[str, Any], host: str) -> None:
    new = told | {"host": host + "0"}
    assert key.difference(told, new) == "host: measured on another machine"


@given(parts, parts)
def test_only_equal_parts_share_a_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (key.key_of(one) == key.key_of(other)) == (key.canonical(one) == key.canonical(other))


def test_the_encoding_of_keys_stands_still() -> None:
    told = {
        "stage": "train",
        "parameters": {"rate": 1e-6},
        "inputs": {},
        "code": {},
        "image": {},
        "host": None,
        "missing": {},
    }
    assert key.key_of(told) == "dd609482f0bf5fee8a3e0cec1511d66d4f9482de826faa693d20684cc3a3a6dc"


@given(parts, st.text("xyz", min_size=1, max_size=3), values)
def test_a_change_is_named_before_what_came_with_it(old: dict[str, Any], name: str, value: object) -> None:
    new = copy.deepcopy(old)
    new["parameters"] = {"aa": value} | old["parameters"] | {"source " + name: "new"}
    old["parameters"]["source " + name] = "old"
    assert key.difference(old, new) == f"parameter train.source {name} old -> new"
