"""The embed stage: a plan of memory in which nothing overlaps, C source that holds every byte, and its numbers."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.contract import InputError, Step
from stages.embed import __main__ as stage
from stages.embed import arena, source
from stages.tflite.model import Model, Operator, Subgraph, Tensor

FILES = Path(__file__).resolve().parents[2] / "fixtures" / "blobs"


def tensor(size: int) -> Tensor:
    return Tensor("t", "int8", (size,), (size,), (), ())


@st.composite
def graphs(draw: st.DrawFn) -> Model:
    """Draw chains of operators that read any tensors made before them."""
    sizes = draw(st.lists(st.integers(1, 400), min_size=2, max_size=12))
    operators = []
    for made in range(1, len(sizes)):
        read = draw(st.lists(st.integers(0, made - 1), min_size=1, max_size=3, unique=True))
        operators.append(Operator("ADD", 1, tuple(read), (made,)))
    return Model((Subgraph(tuple(map(tensor, sizes)), tuple(operators), (0,), (len(sizes) - 1,)),))


@given(graphs())
def test_no_two_tensors_that_live_together_share_a_byte(model: Model) -> None:
    planned = arena.plan(model)
    assert len(planned.blocks) == len(model.main.tensors)
    for one in planned.blocks:
        assert one.start % arena.ALIGNMENT == one.size % arena.ALIGNMENT == 0
        for other in planned.blocks:
            if one is not other and one.meets(other):
                assert one.start + one.size <= other.start or other.start + other.size <= one.start


@given(graphs())
def test_a_plan_lies_between_the_least_and_everything_at_once(model: Model) -> None:
    planned = arena.plan(model)
    assert planned.least <= planned.size <= sum(block.size for block in planned.blocks)


@given(graphs())
def test_a_tensor_lives_from_its_maker_to_its_last_reader(model: Model) -> None:
    graph = model.main
    for block in arena.plan(model).blocks:
        uses = [
            at for at, operator in enumerate(graph.operators) if block.tensor in (*operator.inputs, *operator.outputs)
        ]
        begin = 0 if block.tensor in graph.inputs else min(uses)
        end = len(graph.operators) - 1 if block.tensor in graph.outputs else max([begin, *uses])
        assert (block.first, block.last) == (begin, end)


def test_a_chain_needs_two_neighbours_at_a_time() -> None:
    tensors = tuple(map(tensor, (64, 320, 160, 16)))
    operators = tuple(Operator("RELU", 1, (at,), (at + 1,)) for at in range(3))
    assert arena.plan(Model((Subgraph(tensors, operators, (0,), (3,)),))).size == 480


@given(st.binary(min_size=1, max_size=300))
def test_the_source_holds_every_byte(content: bytes) -> None:
    text = source.source("model_x", content)
    body = text[text.index("= {") + 3 : text.index("};")]
    assert bytes(int(word, 16) for word in re.findall(r"0x([0-9a-f]{2})", body)) == content
    assert f"model_x[{len(content)}]" in text
    assert f"model_x_bytes = {len(content)};" in text
    assert max(map(len, text.splitlines())) <= 120


def test_the_header_tells_the_memory() -> None:
    text = source.header("model_x", 7, 4096)
    assert "#define MODEL_X_ACTIVATION_BYTES 4096\n" in text
    assert "extern const unsigned char model_x[7];" in text
    assert text.count("#if") == text.count("#endif")


def gathered(folder: Path, **contents: bytes) -> Step:
    """A step with a file of each recipe."""
    inputs = {}
    for recipe, content in contents.items():
        place = folder / recipe
        place.mkdir()
        (place / "model.tflite").write_bytes(content)
        record = {"label": f"convert/unet447/{recipe}", "axes": {"recipe": recipe.replace("_", "-")}}
        (place / "record.json").write_text(json.dumps(record))
        inputs[recipe] = place
    (folder / "out").mkdir()
    return Step("embed", "embed/unet447", {}, 1, inputs, folder / "out", None, events=io.StringIO())


def told(step: Step, name: str) -> Any:
    return json.loads((step.out / name).read_text())


def test_integer_files_become_source_and_all_files_are_measured(tmp_path: Path) -> None:
    contents = {
        name: (FILES / name.replace("_", "-") / "model.tflite").read_bytes() for name in ("float32", "ptq_int8")
    }
    step = gathered(tmp_path, **contents)
    stage.main(step)
    files = {one["recipe"]: one for one in told(step, "memory.json")["files"]}
    assert list(files) == ["float32", "ptq-int8"]
    assert files["float32"]["source"] is None
    assert files["ptq-int8"]["source"] == "model_ptq_int8.c"
    assert sorted(path.name for path in step.out.glob("model_*")) == ["model_ptq_int8.c", "model_ptq_int8.h"]
    for name, one in files.items():
        assert one["file_bytes"] == len(contents[name.replace("-", "_")])
        assert one["payload_bytes"] + one["overhead_bytes"] < one["file_bytes"]
    assert files["float32"]["payload_bytes"] == 4 * files["ptq-int8"]["payload_bytes"]
    assert files["float32"]["activation_bytes"] > 3 * files["ptq-int8"]["activation_bytes"]
    numbers = {one["recipe"]: one["value"] for one in told(step, "record.json")["numbers"]}
    assert numbers == {name: one["activation_bytes"] for name, one in files.items()}
    section = told(step, "section.json")
    assert [row[0] for row in section["tables"][0]["rows"]] == ["float32", "ptq-int8"]
    assert "4.00" in section["text"][0]


def test_a_container_is_no_file_for_a_microcontroller(tmp_path: Path) -> None:
    step = gathered(tmp_path, ptq_int8=(FILES / "ptq-int8" / "model.tflite").read_bytes())
    place = tmp_path / "int2"
    place.mkdir()
    (place / "model.packed").write_bytes(b"CORALPK1")
    stage.main(replace(step, inputs={**step.inputs, "int2": place}))
    assert [one["recipe"] for one in told(step, "memory.json")["files"]] == ["ptq-int8"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="convert/unet447/float32"):
        stage.main(gathered(tmp_path, float32=b"\x1c\x00\x00\x00TFL3" + bytes(8)))


def test_a_tensor_of_unknown_size_is_refused() -> None:
    odd = SimpleNamespace(name="t", dtype="resource", shape=(2,))
    with pytest.raises(arena.MalformedFile):
        arena.size_of(odd)  # type: ignore[arg-type]
