"""Writes a network as VHDL, and test benches: a constant for each table, indexed, as all tools read alike.

The form of each statement was chosen because another was translated wrongly by GHDL 2.0's export to Verilog, while its
simulation was right: tables with ascending range (851 of 2329 vectors wrong) and `with ... select` (all wrong). Inputs
of the test bench are initialised, or the index has metavalues before the first vector.
"""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING, List

if TYPE_CHECKING:
    from stages.lut.network import Network

CORE = "core"
BENCH = "tb"

_ENTITY = Template("""\
-- A network of $neurons lookup tables with $fan_in inputs each, in $layers layers; combinational.
-- x are comparators: the comments below say of which sample, with which threshold.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

entity core is
  port (
    x : in  std_logic_vector($top_in downto 0);
    y : out std_logic_vector($top_out downto 0)
  );
end entity;

architecture tables of core is
$constants
$signals
begin
$statements
end architecture;
""")

_BENCH = Template("""\
-- Applies vectors.txt, compares with expected.txt, writes answers.txt, and fails on a difference.
library ieee;
use ieee.std_logic_1164.all;
use std.textio.all;

entity tb is
end entity;

architecture bench of tb is
  signal x : std_logic_vector($top_in downto 0) := (others => '0');
  signal y : std_logic_vector($top_out downto 0);
begin
  dut : entity work.core port map (x => x, y => y);

  process
    file vectors  : text open read_mode is "vectors.txt";
    file expected : text open read_mode is "expected.txt";
    file answers  : text open write_mode is "answers.txt";
    variable given, wanted, said : line;
    variable octets  : std_logic_vector($top_hex downto 0);
    variable truth   : std_logic_vector($top_out downto 0);
    variable applied, differing : natural := 0;
  begin
    while not endfile(vectors) loop
      readline(vectors, given);
      hread(given, octets);
      readline(expected, wanted);
      read(wanted, truth);
      x <= octets($top_in downto 0);
      wait for 1 ns;
      applied := applied + 1;
      if y /= truth then
        differing := differing + 1;
      end if;
      write(said, y);
      writeline(answers, said);
    end loop;
    assert differing = 0
      report integer'image(differing) & " of " & integer'image(applied) & " vectors differ" severity failure;
    report "exact " & integer'image(applied) & "/" & integer'image(applied);
    wait;
  end process;
end architecture;
""")

_VERILOG_BENCH = Template("""\
// Applies vectors.txt to the module core and writes what it answers to answers.txt.
module tb;
  reg [$top_hex:0] octets;
  reg [$top_in:0] x = 0;
  wire [$top_out:0] y;
  integer vectors, answers, count;
  core dut (.x(x), .y(y));
  initial begin
    vectors = $$fopen("vectors.txt", "r");
    answers = $$fopen("answers.txt", "w");
    count = $$fscanf(vectors, "%h\\n", octets);
    while (count == 1) begin
      x = octets[$top_in:0];
      #1000;
      $$fwrite(answers, "%b\\n", y);
      count = $$fscanf(vectors, "%h\\n", octets);
    end
    $$fclose(answers);
    $$finish;
  end
endmodule
""")


def core(network: Network) -> str:
    """Write the network as an entity `core`: input bits in, the last layer's bits out."""
    return _ENTITY.substitute(
        neurons=sum(network.layers),
        fan_in=network.fan_in,
        layers=len(network.layers),
        constants="\n".join(_constants(network)),
        signals="\n".join(_signals(network)),
        statements="\n".join(_statements(network)),
        **_tops(network),
    )


def bench(network: Network) -> str:
    """Write a test bench for a VHDL simulator."""
    return _BENCH.substitute(_tops(network))


def verilog_bench(network: Network) -> str:
    """Write a test bench for a Verilog simulator: for what was exported, and for the mapped netlist."""
    return _VERILOG_BENCH.substitute(_tops(network))


def digits(network: Network) -> int:
    """Count the hexadecimal digits of a vector."""
    return -(-network.inputs // 4)


def _tops(network: Network) -> dict[str, int]:
    return {"top_in": network.inputs - 1, "top_out": network.outputs - 1, "top_hex": 4 * digits(network) - 1}


def _constants(network: Network) -> List[str]:
    top = 2**network.fan_in - 1
    lines = [
        '  constant t%d : std_logic_vector(%d downto 0) := "%s";' % (neuron, top, format(table, "0%db" % (top + 1)))
        for neuron, table in enumerate(network.tables.tolist())
    ]
    comparators = zip(network.sample.tolist(), network.threshold.tolist())
    return ["  -- x(%d): sample %d >= %d" % (place, *one) for place, one in enumerate(comparators)] + lines


def _signals(network: Network) -> List[str]:
    names = ["l%d" % layer for layer in range(len(network.layers))]
    return ["  signal %s : std_logic_vector(%d downto 0);" % one for one in zip(names, (w - 1 for w in network.layers))]


def _statements(network: Network) -> List[str]:
    """Write one line for each neuron: its table at the place that its pins name, pin 0 lowest."""
    lines, neuron = [], 0
    for layer, rows in enumerate(network.rows()):
        source = "l%d" % (layer - 1) if layer else "x"
        for place, pins in enumerate(network.wiring[rows].tolist()):
            index = " & ".join("%s(%d)" % (source, pin) for pin in reversed(pins))
            lines.append(
                "  l%d(%d) <= t%d(to_integer(unsigned(std_logic_vector'(%s))));" % (layer, place, neuron, index)
            )
            neuron += 1
    return [*lines, "  y <= l%d;" % (len(network.layers) - 1)]
