"""What a compiler log consists of: runs of the compiler, the targets of a run, attempts at a target, blocks on models.

A target is what has to be compiled: the model, or one segment of it. A search makes several attempts at one target,
each with fewer operators, and the last one decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional, Set, Tuple

from stages.edgetpu.log.status import MAPPED, continued, is_cut, is_whole

MOST_WORDS = 200  # lines of one attempt; more are noise, but for those that are known
LONGEST_WORD = 1000


@dataclass(frozen=True)
class Row:
    """One row of the operator table: how many operators of a kind had which fate."""

    operator: str
    count: int
    status: str


@dataclass
class Block:
    """What the log says of one model that was compiled; `facts` holds only what it says.

    `is_file`: from a .log file, or a table that stands alone. `is_settled`: the place of the lines on the CPU has
    passed. `is_advised`: the log says that something stays on the CPU. `is_cut`: the last row is not whole. `broken`:
    how many rows have a status that is not whole.
    """

    input: Optional[str] = None
    output: Optional[str] = None
    operation_log: Optional[str] = None
    facts: Dict[str, int] = field(default_factory=dict)
    rows: List[Row] = field(default_factory=list)
    is_file: bool = False
    has_table: bool = False
    has_head: bool = True
    is_settled: bool = False
    is_advised: bool = False
    is_closed: bool = False
    is_cut: bool = False
    broken: int = 0

    def add(self, row: Row) -> None:
        """Take the next row of the table."""
        self.rows.append(row)
        self.is_cut = is_cut(row.status)
        self.broken += not is_whole(row.status)

    def mend(self, line: str) -> bool:
        """Add to the last row what a terminal wrapped off it; tell whether the line is that."""
        status = continued(self.rows[-1].status, line) if self.is_cut and self.rows else None
        if status is None:
            return False
        last = self.rows.pop()
        self.broken -= 1
        self.add(Row(last.operator, last.count, status))
        return True

    def close(self) -> None:
        """Note that the log has gone on to something else."""
        self.is_settled = self.is_closed = True

    def mapped(self) -> int:
        """Count the operators of the rows that run on the Edge TPU."""
        return sum(row.count for row in self.rows if row.status == MAPPED)

    def listed(self) -> int:
        """Count the operators of all rows."""
        return sum(row.count for row in self.rows)

    def take_table(self, other: Block) -> None:
        """Take over the table of the .log file of the same compilation."""
        self.rows, self.is_cut, self.broken, self.has_head = other.rows, other.is_cut, other.broken, other.has_head
        self.has_table = self.is_file = True

    def has_all_rows(self) -> bool:
        """Tell whether the table was read from its head to its end, each row as a whole."""
        if not self.has_table or self.broken:
            return False
        total = self._total()
        if total is not None:
            return self.listed() == total
        return bool(self.rows) and self.has_head and not self.is_cut and (self.is_file or self.is_closed)

    def counts(self) -> Tuple[Optional[int], Optional[int], Optional[int]]:
        """Operations of the model, on the Edge TPU and on the CPU; None where the log does not say.

        What the log counts goes before what its table adds up to. A model of which nothing stays on the CPU has no
        lines on that, which says as much once their place has passed.
        """
        operations, tpu, cpu = self._total(), self.facts.get("tpu"), self.facts.get("cpu")
        if operations is None and self.has_all_rows():
            operations = self.listed()
        if operations is None:
            return None, tpu, cpu
        if tpu is None and cpu is None:
            tpu = self._tpu_without_a_word(operations)
        if tpu is None and cpu is not None:
            tpu = operations - cpu if cpu <= operations else None
        if cpu is None and tpu is not None:
            cpu = operations - tpu if tpu <= operations else None
        return operations, tpu, cpu

    def _total(self) -> Optional[int]:
        """Count the operations as the log does, in one number or in two."""
        operations, tpu, cpu = (self.facts.get(name) for name in ("operations", "tpu", "cpu"))
        if operations is None and tpu is not None and cpu is not None:
            return tpu + cpu
        return operations

    def _tpu_without_a_word(self, operations: int) -> Optional[int]:
        if self.has_all_rows():
            return self.mapped()
        return operations if self.is_settled and not self.is_advised else None


@dataclass
class Attempt:
    """One try of the compiler: `ended` is what its last line said, `words` what it said besides the routine."""

    operations: Optional[int] = None
    timeout_s: Optional[int] = None
    milliseconds: Optional[int] = None
    tensors: Optional[str] = None
    blocks: List[Block] = field(default_factory=list)
    words: List[str] = field(default_factory=list)
    invalid: Optional[str] = None
    said_success: bool = False
    crashed: bool = False
    ended: Optional[bool] = None

    def hear(self, line: str, is_known: bool) -> None:
        """Keep a line that may say why it failed."""
        if len(self.words) < MOST_WORDS or (is_known and len(self.words) < 2 * MOST_WORDS):
            self.words.append(line[:LONGEST_WORD])

    @property
    def is_over(self) -> bool:
        """Whether its last line was read."""
        return self.ended is not None

    @property
    def is_success(self) -> bool:
        """Whether it gave a compiled file; versions before 16.0 have no last line."""
        if self.crashed or self.ended is False:
            return False
        return self.said_success or self.ended is True

    @property
    def block(self) -> Optional[Block]:
        """The block that is being read."""
        return self.blocks[-1] if self.blocks else None


@dataclass
class Target:
    """One thing to be compiled: a model, several together, or a segment."""

    is_search: bool = False
    step: Optional[int] = None
    attempts: List[Attempt] = field(default_factory=list)

    @property
    def is_success(self) -> bool:
        """Whether the last attempt made it."""
        return bool(self.attempts) and self.attempts[-1].is_success


@dataclass
class Run:
    """One call of the compiler; `asked` are the models that its command line names.

    `was_merged`: a table of it went to the call before that printed the rest.
    """

    version: Optional[str] = None
    asked: Set[str] = field(default_factory=set)
    targets: List[Target] = field(default_factory=list)
    is_usage: bool = False
    is_query: bool = False
    was_merged: bool = False

    @property
    def attempt(self) -> Optional[Attempt]:
        """The attempt that is being read, if one is."""
        attempts = self.targets[-1].attempts if self.targets else []
        return attempts[-1] if attempts and not attempts[-1].is_over else None

    @property
    def is_bare(self) -> bool:
        """Whether it printed no more than its version."""
        return not self.targets and not self.is_usage

    @property
    def is_success(self) -> bool:
        """Whether everything that it was to compile was compiled."""
        return bool(self.targets) and all(target.is_success for target in self.targets)

    def models(self) -> Set[str]:
        """File names of the models that it is known to be about."""
        attempts = [attempt for target in self.targets for attempt in target.attempts]
        told = [block.input for attempt in attempts for block in attempt.blocks] + [one.invalid for one in attempts]
        return {name.rpartition("/")[2] for name in (*told, *self.asked) if name}
