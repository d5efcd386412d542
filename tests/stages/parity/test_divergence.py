"""Where two runs part: on graphs of numbers first, then on real interpreters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nets import shifted

from stages.parity.divergence import Pair, bisect, cut, first_divergence
from stages.parity.kernels import BUILT_IN, KERNELS, REFERENCE, XNNPACK, facts, open_file, taken
from stages.parity.locate import locate
from stages.parity.look import cut_look, kept_look
from stages.parity.outputs import run_one
from stages.tflite.model import Operator, Subgraph, Tensor, read_model

if TYPE_CHECKING:
    from numpy.typing import NDArray


def graph_of(sources: list[tuple[int, ...]]) -> Subgraph:
    """A graph of one tensor for each operator, behind the input, which is tensor 0."""
    tensors = tuple(Tensor(f"layer{place}/Add", "int8", (1,), (), (), ()) for place in range(len(sources) + 1))
    operators = tuple(Operator("ADD", 1, inputs, (place + 1,)) for place, inputs in enumerate(sources))
    return Subgraph(tensors, operators, (0,), (len(sources),))


def run(graph: Subgraph, faulty: set[int], coarse: set[int]) -> dict[int, NDArray[np.int64]]:
    """Sums, of which faulty operators are one off, and coarse ones hide a difference of a few."""
    values = {0: np.array([5])}
    for place, operator in enumerate(graph.operators):
        made = sum((values[source] for source in operator.inputs), np.array([0])) + (place in faulty)
        values[operator.outputs[0]] = made // 8 * 8 if place in coarse else made
    return values


def pair_of(graph: Subgraph, faulty: set[int], coarse: set[int]) -> Pair:
    one, other = run(graph, faulty, coarse), run(graph, set(), coarse)
    return Pair(graph, one.__getitem__, other.__getitem__)


@st.composite
def runs(draw: st.DrawFn) -> Pair:
    count = draw(st.integers(1, 24))
    sources = [
        tuple(draw(st.lists(st.integers(0, place), min_size=1, max_size=3, unique=True))) for place in range(count)
    ]
    places = st.sets(st.integers(0, count - 1), max_size=6)
    return pair_of(graph_of(sources), draw(places), draw(places))


@given(runs())
def test_bisection_finds_an_operator_with_equal_inputs_and_a_different_output(pair: Pair) -> None:
    found = bisect(pair)
    assert (found is not None) == pair.differs(len(pair.graph.operators))
    assert found is None or pair.begins_at(found)


@given(runs())
def test_a_scan_finds_the_very_first(pair: Pair) -> None:
    told = first_divergence(pair, scan=True)
    first = next((place for place in range(len(pair.graph.operators)) if pair.begins_at(place)), None)
    assert (told and told["index"]) == first


def test_a_difference_that_vanished_is_not_blamed_for_the_outputs() -> None:
    # operator 0 is wrong, operator 1 rounds that away, operator 2 is wrong again and is what the caller sees
    pair = pair_of(graph_of([(0,), (1,), (2,), (3,)]), {0, 2}, {1})
    assert [pair.differs(tensor) for tensor in range(5)] == [False, True, False, True, True]
    assert bisect(pair) == 2


def test_a_branch_that_runs_in_between_does_not_mislead() -> None:
    pair = pair_of(graph_of([(0,), (0,), (0,), (1, 2), (3, 4)]), {0}, set())
    assert bisect(pair) == 0


def test_a_cut_holds_what_is_read_behind_it() -> None:
    graph = graph_of([(0,), (1,), (1, 2), (3,)])
    assert [cut(graph, place) for place in range(4)] == [[1], [2, 1], [3], [4]]


def test_bisection_looks_at_few_tensors() -> None:
    told = first_divergence(pair_of(graph_of([(place,) for place in range(1000)]), {700}, set()), scan=False)
    assert told is not None
    assert (told["index"], told["method"], told["layer"]) == (700, "bisection", "layer701")
    assert told["tensors_compared"] < 20


def test_runs_that_cannot_be_told_apart_again_have_no_divergence() -> None:
    assert first_divergence(pair_of(graph_of([(0,), (1,)]), set(), set()), scan=False) is None


def test_an_operator_that_bisection_got_wrong_is_not_told() -> None:
    """Looks that contradict each other, as kernels would that are not the same twice."""
    graph = graph_of([(0,), (1,), (2,)])
    same = run(graph, set(), set())
    pair = Pair(graph, lambda tensor: same[tensor] + (tensor in {1, 3}), same.__getitem__)
    pair.steps(1)
    pair.seen[2] = np.array([1])
    told = first_divergence(pair, scan=False)
    assert told is not None
    assert (told["index"], pair.begins_at(told["index"])) == (0, True)


def test_xnnpack_takes_operators_of_int8_and_the_interpreter_says_which(forked: bytes) -> None:
    graph = read_model(forked).main
    told = facts(XNNPACK, open_file(forked, XNNPACK), graph)
    assert told["delegated"] + sum(told["not_delegated"].values()) == told["operators"] == len(graph.operators)
    assert {"AVERAGE_POOL_2D", "QUANTIZE"} <= told["not_delegated"].keys()
    mine = {graph.operators[place].name for place in taken(open_file(forked, XNNPACK), graph)}
    assert {"CONV_2D", "CONCATENATION", "FULLY_CONNECTED"} <= mine
    for kernels in (REFERENCE, BUILT_IN):
        assert taken(open_file(forked, kernels), graph) == set()


@pytest.mark.parametrize("kernels", KERNELS)
def test_the_output_of_a_cut_graph_is_the_whole_graph_s(
    forked: bytes, pictures: NDArray[np.uint8], kernels: str
) -> None:
    end = read_model(forked).main.outputs[0]
    whole = run_one(open_file(forked, kernels), pictures[0])
    assert np.array_equal(cut_look(forked, kernels, pictures[0])(end), whole)


@pytest.mark.parametrize("kernels", [REFERENCE, BUILT_IN])
def test_cutting_a_graph_changes_no_value_of_it(forked: bytes, pictures: NDArray[np.uint8], kernels: str) -> None:
    kept, cut_off = kept_look(forked, kernels, pictures[0]), cut_look(forked, kernels, pictures[0])
    for operator in read_model(forked).main.operators:
        assert np.array_equal(kept(operator.outputs[0]), cut_off(operator.outputs[0])), operator.name


def test_what_xnnpack_is_blamed_for_is_its_own_doing(forked: bytes, pictures: NDArray[np.uint8]) -> None:
    found = locate(forked, XNNPACK, pictures[0])
    graph = read_model(forked).main
    one, other = cut_look(forked, XNNPACK, pictures[0]), kept_look(forked, REFERENCE, pictures[0])
    differs = {t: bool((one(t) != other(t)).any()) for operator in graph.operators for t in operator.outputs}
    operator = graph.operators[found["index"]]
    assert (found["operator"], found["computed_by"], found["method"]) == (operator.name, XNNPACK, "bisection")
    assert differs[operator.outputs[0]]
    assert not any(differs.get(tensor, False) for tensor in operator.inputs)
    assert found["different"] == int((one(operator.outputs[0]) != other(operator.outputs[0])).sum()) > 0


@pytest.mark.parametrize("layer", ["stem", "left", "right", "last"])
def test_the_layer_in_which_two_files_differ_is_named(forked: bytes, pictures: NDArray[np.uint8], layer: str) -> None:
    broken = shifted(forked, layer, 4000)
    scanned = locate(broken, BUILT_IN, pictures[0], standard=forked)
    graph = read_model(forked).main
    looks = cut_look(broken, BUILT_IN, pictures[0]), kept_look(forked, REFERENCE, pictures[0])
    bisected = first_divergence(Pair(graph, *looks), scan=False)
    for told in (scanned, bisected):
        assert told is not None
        assert (told["layer"], told["operator"]) == (layer, "CONV_2D")
    assert scanned["method"] == "scan"


def test_the_same_file_on_the_same_kernels_has_no_divergence(forked: bytes, pictures: NDArray[np.uint8]) -> None:
    assert locate(forked, REFERENCE, pictures[0])["index"] is None
