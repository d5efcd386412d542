"""A plan takes the layers whose bytes cost least, to a size or a measured loss, from the table of its own network."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_narrow import network, source

from stages.contract import InputError, Step
from stages.convert import planned
from stages.convert.__main__ import conversion
from stages.convert.calibration import Observer
from stages.convert.int8 import quantise
from stages.convert.narrow import narrowable, packed
from stages.convert.network import float_flatbuffer
from stages.convert.planned import choices, fewest_to_size, most_within, read_table
from stages.convert.ranges import minimum_maximum
from stages.images import ImageSet
from stages.sensitivity.layers import layers
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from pathlib import Path


@given(st.lists(st.integers(1, 1000)), st.integers(0, 20_000), st.floats(0, 20_000))
def test_no_fewer_savings_reach_the_size(savings: list[int], size: int, wanted: float) -> None:
    count = fewest_to_size(savings, size, wanted)
    if count is None:
        assert size - sum(savings) > wanted
    else:
        assert size - sum(savings[:count]) <= wanted
        assert count == 0 or size - sum(savings[: count - 1]) > wanted


@given(st.lists(st.floats(0, 1), max_size=40), st.floats(0, 1))
def test_as_many_layers_as_the_loss_allows_and_few_measurements(steps: list[float], largest: float) -> None:
    asked: list[int] = []

    def measured(count: int) -> float:
        asked.append(count)
        return sum(steps[:count])  # grows with the number of layers

    count = most_within(len(steps), measured, largest)
    assert count == max(n for n in range(len(steps) + 1) if n == 0 or sum(steps[:n]) <= largest)
    assert len(asked) <= len(steps).bit_length() + 1


@pytest.fixture(scope="module")
def files(blobs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, bytes, list[dict[str, Any]]]:
    """A network, its int8 file, and a table in which layers cost the less the later they come."""
    made = network(size=32)
    content = float_flatbuffer(made)
    images = ImageSet.read(Step("a", "a", {}, 1, {"dataset": blobs}, tmp_path_factory.mktemp("x"), None))
    observer = Observer(content, lambda row: images.load(row, 32), 32, 1)
    int8 = quantise(content, minimum_maximum(observer.statistics(images.rows("train")[:16])))
    table = [
        {
            "name": one.name,
            "shape": list(one.shape),
            "weights": one.weights,
            "widths": [{"bits": 4, "divergence": 1.0 / (1 + number)}],
        }
        for number, one in enumerate(layers(content))
    ]
    return made, int8, table


def written(folder: Path, table: Any, **changed: Any) -> Path:
    folder.mkdir(parents=True)
    told = {"schema": "coralline.sensitivity", "version": 1, "layers": table, **changed}
    (folder / "sensitivity.json").write_text(json.dumps(told))
    return folder


def test_the_table_s_layers_are_found_in_the_int8_file(files: Any) -> None:
    _, int8, table = files
    found = choices(int8, table)
    graph, places = read_model(int8).main, narrowable(read_model(int8))
    shapes = [graph.tensors[graph.operators[place].inputs[1]].shape for place in places]
    assert [one.place for one in found] == places
    assert [one.saved for one in found] == [math.prod(shape) // 2 for shape in shapes]


def test_a_table_of_another_network_is_refused(files: Any) -> None:
    _, int8, table = files
    for wrong in (table[1:], [*table[:-1], {**table[-1], "shape": [9, 9]}]):
        with pytest.raises(InputError, match="not one of this network"):
            choices(int8, wrong)
    with pytest.raises(InputError, match="no width of 4 bits"):
        choices(int8, [{**one, "widths": [{"bits": 3, "divergence": 0.1}]} for one in table])


@pytest.mark.parametrize("changed", [{"version": 2}, {"schema": "x"}, {"layers": None}])
def test_another_document_is_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    place = written(tmp_path / "s", [], **changed) / "sensitivity.json"
    if changed == {"layers": None}:
        place.write_text("{")
    with pytest.raises(InputError, match="sensitivity table"):
        read_table(place)


def test_no_layer_is_narrowed_for_a_size_that_the_file_has_without(tmp_path: Path, blobs: Path, files: Any) -> None:
    made, int8, table = files
    asked = source(tmp_path / "step", blobs, int8, made)
    asked.step.inputs["sensitivity"] = written(tmp_path / "table", table)
    reached = len(float_flatbuffer(made)) / len(packed(int8, ()))
    asked.step.parameters.update(recipe="mixed", compression=0.998 * reached, largest_loss=0.0)
    assert planned.convert(asked).quantisation["plan"]["narrowed"] == []


def test_a_loss_that_the_int8_file_has_by_itself_is_told(tmp_path: Path, blobs: Path, files: Any) -> None:
    made, int8, table = files
    asked = source(tmp_path / "step", blobs, int8, made)
    asked.step.inputs["sensitivity"] = written(tmp_path / "table", table)
    asked.step.parameters.update(recipe="mixed", compression=5.0, largest_loss=-0.5)  # what no file can keep to
    assert planned.convert(asked).quantisation["plan"]["narrowed"] == []
    assert "no layer has four bits: convert.largest_loss = -0.5" in asked.step.events.getvalue()


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"compression": 0.5, "largest_loss": 0.0}, 0),
        ({"compression": 16.0, "largest_loss": 0.0}, 3),  # out of reach: all layers, and a warning
        ({"compression": 5.0, "largest_loss": 1.0}, 3),
    ],
)
def test_the_plan_is_carried_out_and_told(
    tmp_path: Path, blobs: Path, files: Any, settings: dict[str, float], count: int
) -> None:
    made, int8, table = files
    asked = source(tmp_path / "step", blobs, int8, made)
    asked.step.inputs["sensitivity"] = written(tmp_path / "table", table)
    asked.step.parameters.update(recipe="mixed", **settings)
    told = conversion(asked, planned.convert(asked))
    plan = told["quantisation"]["plan"]
    narrow = sum(one["operators"] for one in told["weights"] if one["dtype"] == "int4")
    assert count == narrow == len(plan["narrowed"]) == told["quantisation"]["narrowed_operators"]
    assert len(plan["narrowed"]) + len(plan["kept_at_8_bits"]) == 3
    assert ("give less than convert.compression" in asked.step.events.getvalue()) == (settings["compression"] == 16.0)
