"""Vectors and what is read from tools, without any tool."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import lutnets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.contract import InputError
from stages.synthesise import mapping, timing, vectors, vhdl
from stages.synthesise.tools import Tools

if TYPE_CHECKING:
    from pathlib import Path


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 99))
def test_vectors_are_read_back_from_their_text(inputs: int, seed: int) -> None:
    network = lutnets.network(seed, inputs=inputs)
    bits = np.random.default_rng(seed).random((9, inputs)) < 0.5
    lines = vectors._hexadecimal(bits, vhdl.digits(network))
    assert {len(line) for line in lines} == {-(-inputs // 4)}
    assert [[bool(int(line, 16) >> place & 1) for place in range(inputs)] for line in lines] == bits.tolist()


def test_up_to_16_inputs_every_vector_is_there_once() -> None:
    drawn = vectors.draw(lutnets.network(1, inputs=16), np.zeros((5, 16), np.uint16), 10)
    assert len(drawn) == 65_536
    assert len(np.unique(np.packbits(drawn.bits, axis=1), axis=0)) == 65_536


def test_with_more_inputs_test_waveforms_and_random_vectors_are() -> None:
    codes = np.eye(20, dtype=np.uint16)
    drawn = vectors.draw(lutnets.network(1, inputs=20), codes, 1000)
    assert len(drawn) == 1020
    assert drawn.bits[:20].tolist() == np.eye(20, dtype=bool).tolist()
    assert 0.45 < drawn.bits[20:].mean() < 0.55
    assert drawn.about == "those of 20 test waveforms and 1,000 random vectors"


def test_random_vectors_are_the_same_each_time_and_no_bit_stands_still() -> None:
    network, codes = lutnets.network(1, inputs=21), np.eye(21, dtype=np.uint16)
    one, other = (vectors.draw(network, codes, 1000) for _ in range(2))
    assert np.array_equal(one.bits, other.bits)
    assert (abs(one.bits[21:].mean(axis=0) - 0.5) < 0.1).all()  # six standard deviations
    assert len(np.unique(one.bits[21:], axis=0)) > 990


def test_many_vectors_are_written_line_by_line(tmp_path: Path) -> None:
    network, count = lutnets.network(1, inputs=17), vectors.CHUNK + 3
    drawn = vectors.draw(network, np.zeros((1, 17), np.uint16), count)
    drawn.write(tmp_path, network)
    lines = (tmp_path / "vectors.txt").read_text().splitlines()
    assert len(lines) == len((tmp_path / "expected.txt").read_text().splitlines()) == count + 1
    whole = [sum(1 << place for place in np.flatnonzero(row).tolist()) for row in drawn.bits[-5:]]
    assert [int(line, 16) for line in lines[-5:]] == whole


def test_tables_descend_and_are_indexed() -> None:
    text = vhdl.core(lutnets.network(1))
    assert "std_logic_vector(63 downto 0) :=" in text
    assert " to 63" not in text
    assert "select" not in text
    assert "integer" not in text.replace("to_integer(unsigned(", "")


def test_the_delay_after_routing_counts() -> None:
    text = "Info: Max delay <async> -> <async>: 9.31 ns\nx\nInfo: Max delay <async>          -> <async>: 8.62 ns\n"
    assert timing.last_delay(text) == 8.62


def test_no_delay_is_no_zero() -> None:
    with pytest.raises(RuntimeError, match="no delay from pin to pin"):
        timing.last_delay("Info: Max frequency for clock 'clk': 626.17 MHz (PASS at 12.00 MHz)\n")


def test_a_cell_of_an_unknown_kind_is_not_left_out(tmp_path: Path) -> None:
    cells = {str(place): {"type": kind} for place, kind in enumerate(["SB_LUT4", "SB_LUT4", "SB_DFFE", "SB_CARRY"])}
    document = {"modules": {"core": {"cells": cells}}}
    (tmp_path / "x.json").write_text(json.dumps(document))
    assert mapping.count(tmp_path / "x.json", mapping.ICE40) == {"lut4": 2, "ff": 1, "dsp": 0, "bram": 0, "carry": 1}
    cells["4"] = {"type": "SB_NEW"}
    (tmp_path / "x.json").write_text(json.dumps(document))
    with pytest.raises(RuntimeError, match="SB_NEW"):
        mapping.count(tmp_path / "x.json", mapping.ICE40)


def test_a_missing_tool_is_named_with_the_way_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="ghdl is not installed") as caught:
        Tools(tmp_path).run("ghdl", "--version")
    assert "--engine docker" in caught.value.remedy


def test_the_times_that_a_tool_took_are_left_out(tmp_path: Path) -> None:
    tools = Tools(tmp_path)
    said = "Info: Router1 time 0.23s\nInfo:  108 | 6  102 | 6 102 | 0|     0.23       1.23|\nMax delay: 9.74 ns 0x1.5s"
    tools.run("echo", said)
    assert tools.said[1] == "Info: Router1 time  -\nInfo:  108 | 6  102 | 6 102 | 0| -|\nMax delay: 9.74 ns 0x1.5s"


def test_a_tool_that_takes_too_long_is_named_and_what_it_said_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.synthesise.tools.LIMIT_S", 1)
    tools = Tools(tmp_path)
    with pytest.raises(InputError, match="sh was not done after 1 s") as caught:
        tools.run("sh", "-c", "echo halfway; exec sleep 60")
    assert "synthesise.vectors" in caught.value.remedy
    assert tools.said == ["$ sh -c echo halfway; exec sleep 60", "halfway"]


def test_a_tool_that_fails_says_why(tmp_path: Path) -> None:
    tools = Tools(tmp_path)
    with pytest.raises(RuntimeError, match="sh ended with code 3: no such thing"):
        tools.run("sh", "-c", "echo no such thing; exit 3")
    assert tools.said == ["$ sh -c echo no such thing; exit 3", "no such thing"]
