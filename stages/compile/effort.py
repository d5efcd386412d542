"""Compile as often as it is worth and no longer than allowed: again after a crash, in part where it is too large.

The compiler is known to crash and then succeed on the same input (google-coral/edgetpu issue 211). Where activations
are too large for the chip, its own search leaves out operators from the end until the rest compiles.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, List, Tuple

from stages.compile.driver import COMPILER, GRACE_S, options, run_compiler
from stages.compile.verdict import Attempt, error, judge
from stages.edgetpu.failures import catalogue

if TYPE_CHECKING:
    from pathlib import Path

LEAST_S = 1.0  # the smallest limit that the compiler takes
TRIES = 4  # so many tries of a search may use up their time before the search does


@dataclass(frozen=True)
class Effort:
    """What may be spent: seconds in all, further attempts after a crash, operators per step of a search (0: none).

    A first attempt on the whole model gets half of the time where a search could follow.
    """

    timeout_s: int
    retries: int = 0
    search_step: int = 0
    grace_s: float = GRACE_S

    def limits(self, left_s: float, is_search: bool) -> Tuple[int, float]:
        """Give the limit for the compiler itself, and the seconds after which it is ended."""
        share_s = left_s if is_search or not self.search_step else left_s / 2
        told_s = share_s / TRIES if is_search else share_s
        return max(1, int(told_s)), share_s + self.grace_s


def compile_model(
    model: Path,
    folder: Path,
    log: Path,
    effort: Effort,
    *,
    warn: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> List[Attempt]:
    """Compile `model`; the last of the attempts is the one that succeeded. All that was said is in `log`.

    Raises:
        InputError: the model is the reason that none did.
        CompilerError: something else is.
    """
    end = clock() + effort.timeout_s
    attempts: List[Attempt] = []
    is_search = False
    while True:
        left_s = max(end - clock(), LEAST_S)
        seconds, limit_s = effort.limits(left_s, is_search)
        chosen = options(seconds, effort.search_step if is_search else 0)
        attempts.append(_attempt(model, folder / str(len(attempts)), log, chosen, limit_s))
        failure = attempts[-1].failure
        if failure is None:
            return attempts
        kind = catalogue()[failure.kind]
        crashes = sum(catalogue()[one.outcome].retry for one in attempts if one.failure)
        has_time = end - clock() > LEAST_S
        if kind.retry and crashes <= effort.retries and has_time:
            warn("%s failed (%s): attempt %d follows" % (COMPILER, failure.message, len(attempts) + 1))
        elif kind.search and effort.search_step and not is_search and has_time:
            is_search = True
            warn("the whole model does not compile (%s): looking for a part that does" % failure.message)
        else:
            raise error(attempts)


def _attempt(model: Path, folder: Path, log: Path, chosen: List[str], limit_s: float) -> Attempt:
    """Run the compiler once, into a folder of its own: what a crash left is not taken for a result."""
    folder.mkdir()
    with log.open("a", encoding="utf-8") as file:
        file.write("$ %s %s %s\n" % (COMPILER, " ".join(chosen), model.name))
    outcome = run_compiler(model, folder, log, chosen, limit_s)
    sys.stderr.write(outcome.log.decode("utf-8", "replace"))  # a failed step keeps nothing but its standard error
    attempt = judge(chosen, outcome)
    with log.open("a", encoding="utf-8") as file:
        start = "" if outcome.log.endswith(b"\n") or not outcome.log else "\n"
        file.write("%s# exit code %s: %s\n" % (start, attempt.code, attempt.outcome))
    return attempt
