"""Read what the compiler printed, or wrote as its .log file, into runs, targets, attempts and blocks.

Every line is optional: versions and failures leave lines out, and what people publish lacks its head or its tail. A
standard error that was caught beside the standard output may stand before lines that were printed earlier.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterable, List, Optional, Tuple

from stages.edgetpu import failures
from stages.edgetpu.log.merge import merge
from stages.edgetpu.log.parts import Attempt, Block, Row, Run, Target
from stages.edgetpu.log.prefix import BANNER
from stages.edgetpu.log.status import is_seen
from stages.edgetpu.log.words import CUT_ROW, FACTS, HEADER, Command, amount, command, number, row, value
from stages.tflite.names import OPERATORS

ROUTINE = ("INFO: ", "WARNING: ")
AROUND_VERSION = ".,;:_*`|)"  # what a sentence or a page leaves behind it


def read_log(lines: Iterable[str]) -> List[Run]:
    """Read the runs of the compiler that the lines tell of; none where nothing is of the compiler."""
    reader = Reader()
    for line in lines:
        reader.read(line)
    return merge(reader.finish())


class Reader:
    """Takes one line after the other."""

    def __init__(self) -> None:
        self._runs: List[Run] = []
        self._run: Optional[Run] = None  # the run that is being read
        self._waiting = Attempt()  # of errors that came before the attempt that they belong to
        self._is_crash_waiting = False
        self._files: Dict[str, str] = {}  # the head of a .log file
        self._asked = Command([], is_query=False)
        handlers: Tuple[Tuple[str, Callable[[str], None]], ...] = (
            ("Started a compilation timeout timer", self._timer),
            ("Searching for valid delegate", self._search),
            ("Try to compile segment", self._try),
            ("Intermediate tensors:", self._tensors),
            ("Model compiled successfully", self._success),
            ("Models compiled successfully", self._success),
            ("Model successfully compiled but", self._advice),
            ("Compilation child process", self._child),
            ("Compilation succeeded", self._succeeded),
            ("Compilation failed!", self._failed),
            ("Compilation timeout", self._word),
            ("Input model:", self._input_model),
            ("Output model:", self._output_model),
            ("Operation log:", self._operation_log),
            ("See the operation log", self._end_of_facts),
            ("Invalid model:", self._invalid),
            ("Input:", self._file),
            ("Output:", self._file),
            ("Usage:", self._usage),
            *((key, self._fact) for key in FACTS),
        )
        self._handlers: Dict[str, List[Tuple[str, Callable[[str], None]]]] = {}
        for prefix, handler in handlers:
            self._handlers.setdefault(prefix.split(" ")[0], []).append((prefix, handler))

    def beginnings(self) -> Tuple[str, ...]:
        """Tell how the lines begin that the compiler prints."""
        return (BANNER, *(phrase for found in self._handlers.values() for phrase, _ in found))

    def read(self, line: str) -> None:
        """Take a line, clean and not blank."""
        if line.startswith(BANNER):
            self._banner(line[len(BANNER) :].split(None, 1)[0])
        elif not (self._run and self._run.is_usage):
            found = self._handlers.get(line.split(None, 1)[0], ())
            handler = next((handler for prefix, handler in found if line.startswith(prefix)), None)
            if handler:
                handler(line)
            elif not self._row(line) and not self._shell(line):
                self._word(line)

    def finish(self) -> List[Run]:
        """Give the runs; none where no line was of the compiler."""
        self._close_run()
        if not self._runs and self._waiting.words:
            self._begin()  # nothing but errors
        return [run for run in self._runs if run.version is not None or not run.is_bare]

    # Runs.

    def _banner(self, version: str) -> None:
        self._close_run()
        self._run = Run(version.rstrip(AROUND_VERSION), set(self._asked.models), is_query=self._asked.is_query)
        self._asked = Command([], is_query=False)
        self._runs.append(self._run)

    def _shell(self, line: str) -> bool:
        """Read the command line of the person who published the log, which ends what came before."""
        asked = command(line)
        if asked is None:
            return False
        self._close_run()
        self._asked = asked
        return True

    def _close_run(self) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        if run.is_bare and len(self._files) == 2:  # a .log file whose table is missing
            self._run = run
            self._file_block()
            self._run = None
        # A crash of the wrapper comes after everything else; other errors may belong to what follows.
        if self._is_crash_waiting:
            self._run = run
            self._begin()
            self._run = None
        self._files = {}

    def _usage(self, _: str) -> None:
        if self._run and self._run.is_bare:
            self._run.is_usage = True

    # Targets and attempts.

    def _begin(self, is_search: bool = False) -> Attempt:
        """Begin an attempt: of the search that goes on, else of a new target."""
        if self._run is None:
            self._run = Run()
            self._runs.append(self._run)
        targets = self._run.targets
        last = targets[-1] if targets else None
        if last is None or (last.attempts and (last.is_success or not last.is_search)):
            last = Target(is_search)
            targets.append(last)
        last.attempts.append(self._waiting)
        self._waiting, self._is_crash_waiting = Attempt(), False
        return last.attempts[-1]

    def _attempt(self) -> Attempt:
        """Give the attempt that is being read, or begin one."""
        return (self._run.attempt if self._run else None) or self._begin()

    def _search(self, line: str) -> None:
        if self._run is None:
            self._run = Run()
            self._runs.append(self._run)
        self._run.targets.append(Target(True, number(line)))

    def _try(self, line: str) -> None:
        self._begin(is_search=True).operations = number(line)

    def _tensors(self, line: str) -> None:
        attempt = (self._run.attempt if self._run else None) or self._begin(is_search=True)
        attempt.tensors = line.partition(":")[2].strip()

    def _timer(self, line: str) -> None:
        attempt = self._attempt()
        if attempt.timeout_s is not None or attempt.said_success:
            attempt = self._begin()
        attempt.timeout_s = number(line)

    def _success(self, line: str) -> None:
        attempt = self._attempt()
        if attempt.said_success:
            attempt = self._begin()
        attempt.said_success = True
        attempt.milliseconds = number(line)

    def _child(self, _: str) -> None:
        attempt = self._run.attempt if self._run else None
        if attempt and attempt.block:
            attempt.block.close()

    def _succeeded(self, line: str) -> None:
        self._child(line)
        self._attempt().ended = True

    def _failed(self, line: str) -> None:
        self._child(line)
        self._attempt().ended = False

    # Blocks.

    def _block(self) -> Block:
        """Give the block that is being read, or begin one; such lines are printed on success only."""
        attempt = self._attempt()
        attempt.said_success = True
        if attempt.block is None:
            attempt.blocks.append(Block())
        return attempt.blocks[-1]

    def _input_model(self, line: str) -> None:
        attempt = self._attempt()
        attempt.said_success = True
        if attempt.block:
            attempt.block.close()
        attempt.blocks.append(Block(input=value(line)))

    def _output_model(self, line: str) -> None:
        self._block().output = value(line)

    def _operation_log(self, line: str) -> None:
        self._block().operation_log = value(line)

    def _fact(self, line: str) -> None:
        key = next(key for key in FACTS if line.startswith(key))
        told = amount(value(line))
        if told is not None:
            self._block().facts[FACTS[key]] = told

    def _advice(self, _: str) -> None:
        self._block().is_advised = True

    def _end_of_facts(self, _: str) -> None:
        self._block().is_settled = True

    def _file(self, line: str) -> None:
        self._files[line.partition(":")[0]] = value(line)

    def _file_block(self) -> None:
        attempt = self._attempt()
        attempt.said_success = True
        attempt.blocks.append(Block(input=self._files.get("Input"), output=self._files.get("Output"), is_file=True))
        self._files = {}

    def _row(self, line: str) -> bool:
        """Read the head of the operator table, or a row of it."""
        attempt = self._run.attempt if self._run else None
        block = attempt.block if attempt else None
        if HEADER.fullmatch(line):
            if attempt is None or block is None:
                self._file_block()
            block = self._block()
            block.has_table = block.is_settled = True
            return True
        is_open = block is not None and block.has_table and not block.is_closed
        if block and is_open and block.mend(line):
            return True
        found = row(line)
        if found and not is_open and self._is_headless(found, attempt):
            block = self._block()
            block.has_table, block.has_head, is_open = True, False, True
        if block is None or not is_open:
            return False
        if found:
            block.add(found)
        elif CUT_ROW.fullmatch(line):
            block.is_cut = True
        return found is not None

    def _is_headless(self, found: Row, attempt: Optional[Attempt]) -> bool:
        """Tell whether a row begins a table whose head is missing, most often with all that came before it."""
        is_operator = found.operator in OPERATORS
        if self._run is None:
            return is_operator or is_seen(found.status)
        block = attempt.block if attempt else None
        return block is not None and not block.has_table and is_operator and is_seen(found.status)

    # Everything else.

    def _invalid(self, line: str) -> None:
        attempt = self._attempt()
        attempt.invalid = value(line)
        attempt.hear(line, is_known=True)

    def _word(self, line: str) -> None:
        """Keep a line that may say why something failed."""
        if line.startswith(ROUTINE):
            return
        attempt = self._run.attempt if self._run else None
        known = failures.find(line)
        is_error = known is not None or line.startswith("ERROR: ")
        if attempt is not None:
            if is_error or not attempt.said_success:
                attempt.hear(line, known is not None)
            attempt.crashed = attempt.crashed or bool(known and known.crash and attempt.said_success)
        elif self._run is not None and self._run.is_bare and not self._files:
            self._begin().hear(line, known is not None)
        elif is_error:
            self._waiting.hear(line, known is not None)
            self._is_crash_waiting = self._is_crash_waiting or bool(known and known.crash)


BEGINNINGS = Reader().beginnings()
