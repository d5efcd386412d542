"""From random networks to simulated hardware: equal to Python at every level, and a difference is caught at each."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING, Any

import lutnets
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from stages.contract import InputError, Step
from stages.lut.file import write_network
from stages.synthesise import __main__ as stage
from stages.synthesise import mapping, proof, timing, vectors, vhdl
from stages.synthesise.spec import PACKAGES, SPEC
from stages.synthesise.tools import Tools

if TYPE_CHECKING:
    from pathlib import Path

    from stages.lut.network import Network
    from stages.synthesise.vectors import Vectors

pytestmark = pytest.mark.usefixtures("tools")

NOTHING = np.zeros((0, 16), np.uint16)


def prepared(folder: Path, network: Network, given_vectors: Vectors) -> Tools:
    folder.mkdir(parents=True)
    (folder / "core.vhd").write_text(vhdl.core(network))
    (folder / "tb.vhd").write_text(vhdl.bench(network))
    (folder / "tb.v").write_text(vhdl.verilog_bench(network))
    given_vectors.write(folder, network)
    return Tools(folder)


def exhaustive(network: Network) -> Vectors:
    return vectors.draw(network, NOTHING, 1)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(lutnets.networks())
def test_every_vector_of_a_random_network_is_equal_in_vhdl_and_in_exported_verilog(
    tmp_path_factory: pytest.TempPathFactory, network: Network
) -> None:
    given_vectors = exhaustive(network)
    tools = prepared(tmp_path_factory.mktemp("core") / "x", network, given_vectors)
    assert proof.simulate_vhdl(tools, given_vectors).exact == 2**network.inputs
    proof.export(tools)
    assert proof.simulate_verilog(tools, given_vectors).exact == 2**network.inputs


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tools, Network, Vectors]:
    """A core with two outputs, exported and mapped."""
    network = lutnets.network(1, (5, 2), 4, 7)
    given_vectors = exhaustive(network)
    tools = prepared(tmp_path_factory.mktemp("core") / "x", network, given_vectors)
    proof.simulate_vhdl(tools, given_vectors)
    proof.export(tools)
    mapping.map_ice40(tools)
    return tools, network, given_vectors


def test_the_mapped_netlist_is_equal(core: tuple[Tools, Network, Vectors]) -> None:
    tools, _, given_vectors = core
    assert proof.simulate_netlist(tools, given_vectors).told() == {
        "level": "mapped netlist",
        "by": "Icarus Verilog",
        "exact": 128,
        "vectors": 128,
    }


@pytest.mark.parametrize("level", ["simulate_vhdl", "simulate_verilog", "simulate_netlist"])
def test_one_wrong_entry_is_caught_at_every_level(core: tuple[Tools, Network, Vectors], level: str) -> None:
    tools, network, given_vectors = core
    answers = given_vectors.answers.copy()
    answers[77, 1] = not answers[77, 1]
    with pytest.raises(proof.DifferenceError, match="exact 127 of 128 vectors, 128 answers; vector 77 differs first"):
        getattr(proof, level)(tools, replace(given_vectors, answers=answers))
    assert network.outputs == 2


def test_a_wrong_table_is_caught(core: tuple[Tools, Network, Vectors], tmp_path: Path) -> None:
    _, network, given_vectors = core
    tables = network.tables.copy()
    tables[-1] ^= np.uint64(0xFFFF)
    wrong = replace(network, tables=tables)
    tools = prepared(tmp_path / "x", wrong, given_vectors)
    with pytest.raises(proof.DifferenceError, match="exact 0 of 128"):
        proof.simulate_vhdl(tools, given_vectors)


def test_the_test_bench_itself_fails_on_a_difference(core: tuple[Tools, Network, Vectors], tmp_path: Path) -> None:
    _, network, given_vectors = core
    tools = prepared(tmp_path / "x", network, given_vectors)
    lines = (tools.folder / "expected.txt").read_text().split()
    lines[5] = lines[5].translate(str.maketrans("01", "10"))
    (tools.folder / "expected.txt").write_text("\n".join(lines) + "\n")
    with pytest.raises(proof.DifferenceError, match="test bench ended with code"):
        proof.simulate_vhdl(tools, given_vectors)
    assert any("1 of 128 vectors differ" in line for line in tools.said)


def test_a_simulation_that_writes_nothing_is_no_proof(core: tuple[Tools, Network, Vectors], tmp_path: Path) -> None:
    _, network, given_vectors = core
    tools = prepared(tmp_path / "x", network, given_vectors)
    (tools.folder / "core.v").write_text("module core(input [6:0] x, output [1:0] y); endmodule\n")
    with pytest.raises(proof.DifferenceError, match="exact 0 of 128"):  # its outputs are z
        proof.simulate_verilog(tools, given_vectors)


@pytest.mark.parametrize(("device", "package"), [(one, name) for one, names in PACKAGES.items() for name in names])
def test_every_package_that_may_be_chosen_is_one_of_the_device_s(
    core: tuple[Tools, Network, Vectors], device: str, package: str
) -> None:
    tools, _, _ = core
    assert 1 < timing.place_and_route(tools, device, package, 1) < 100


def test_a_core_with_more_pins_than_the_package_is_told(tmp_path: Path) -> None:
    network = lutnets.network(1, (32, 1), 4, 100)
    tools = prepared(tmp_path / "x", network, vectors.draw(network, np.zeros((1, 100), np.uint16), 1))
    proof.export(tools)
    mapping.map_ice40(tools)
    with pytest.raises(InputError, match="cannot place the core on up5k in sg48"):
        timing.place_and_route(tools, "up5k", "sg48", 1)


def step(folder: Path, network: Network, dataset: Path, **values: Any) -> Step:
    made = folder / "network"
    made.mkdir(parents=True)
    write_network(made, network)
    out = folder / "out"
    out.mkdir()
    parameters = {one.name: one.default for one in SPEC.parameters}
    return Step(
        stage="synthesise",
        label="synthesise/lutnet",
        parameters={**parameters, "seeds": 2, "vectors": 1000, **values},
        threads=2,
        inputs={"network": made, "dataset": dataset},
        out=out,
        partial=None,
        events=StringIO(),
    )


def test_the_stage_proves_all_65_536_vectors_of_16_inputs(tmp_path: Path) -> None:
    made = step(tmp_path, lutnets.network(7, (8, 1), 4, 16), lutnets.dataset(tmp_path / "dataset"))
    stage.main(made)
    told = {name: json.loads((made.out / f"{name}.json").read_text()) for name in ("proof", "area", "timing")}
    assert [level["exact"] for level in told["proof"]["levels"]] == [65_536] * 3
    assert told["proof"]["vectors"] == "all 65,536 vectors"
    cells = told["area"]["cells"]
    assert 1 <= cells["lut4"] <= 9
    assert (cells["ff"], cells["dsp"], cells["bram"]) == (0, 0, 0)
    assert told["timing"]["pin_to_pin_ns"] == max(told["timing"]["by_seed"].values())
    names = {output.path for output in SPEC.outputs}
    assert names <= {path.name for path in made.out.iterdir()}
    assert str(tmp_path) not in "".join((made.out / name).read_text() for name in names)  # no path of this host


def test_the_stage_is_the_same_bytes_again_on_one_thread(tmp_path: Path) -> None:
    dataset = lutnets.dataset(tmp_path / "dataset", samples=8)
    one, other = (step(tmp_path / name, lutnets.network(7, (4, 1), 4, 8), dataset) for name in ("one", "other"))
    other.threads = 1
    for made in (one, other):
        stage.main(made)
    for path in one.out.iterdir():
        assert path.read_bytes() == (other.out / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    ("values", "message"),
    [({"package": "sg48"}, "there is no hx8k"), ({"device": "up5k"}, "synthesise.package is ct256")],
)
def test_a_package_of_another_device_is_refused(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    made = step(tmp_path, lutnets.network(7), lutnets.dataset(tmp_path / "dataset"), **values)
    with pytest.raises(InputError, match=message):
        stage.main(made)


def test_a_network_for_other_waveforms_is_refused(tmp_path: Path) -> None:
    made = step(tmp_path, lutnets.network(7, inputs=8), lutnets.dataset(tmp_path / "dataset"))
    with pytest.raises(InputError, match="8 samples of 1 bits, the data set has 16 of 1"):
        stage.main(made)
