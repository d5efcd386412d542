"""One document on what the compiler printed, whichever of its versions did and however much of it is left.

`document` is what `./run parse-log --json` prints. Nothing is guessed: what the log does not say is null. A size is
rounded by the compiler to hundredths of its unit, so the bytes are right within half of that.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Set

from stages.contract import InputError
from stages.edgetpu.failures import NO_REASON, Failure, explain, named
from stages.edgetpu.log.lines import clean_lines
from stages.edgetpu.log.reader import read_log

if TYPE_CHECKING:
    from stages.edgetpu.log.parts import Attempt, Block, Run, Target

VERSION = 1
UNFINISHED = "the log ends before the compiler says how it went"


def document(content: bytes) -> Dict[str, Any]:
    """Describe a log of the compiler, or what it printed.

    Raises:
        InputError: no line is of the compiler, or the file is too large for a log.
    """
    runs = read_log(clean_lines(content))
    if not runs:
        raise InputError("no line of the file is of the Edge TPU compiler", "give its output or its .log file")
    return describe(runs)


def describe(runs: List[Run]) -> Dict[str, Any]:
    """Describe the runs of a log as one document: `ok` when nothing that was to be compiled is left.

    `ok` needs more than the compiler's word: a model of which nothing runs on the Edge TPU is a failure.
    """
    tried = [(target, attempt) for run in runs for target in run.targets for attempt in target.attempts]
    models = [
        {**_model(block), "attempt": place}
        for place, (_, attempt) in enumerate(tried)
        for block in (attempt.blocks if attempt.is_success else ())
    ]
    failure = _failure(runs) or _nothing_mapped(models)
    return {
        "schema": "coralline.compiler-log",
        "version": VERSION,
        "compiler_version": next((run.version for run in reversed(runs) if run.version), None),
        "ok": failure is None,
        "failure": failure.told() if failure else None,
        "models": models,
        "attempts": [_attempt(target, attempt) for target, attempt in tried],
    }


def _model(block: Block) -> Dict[str, Any]:
    operations, tpu, cpu = block.counts()
    return {
        "input": block.input,
        "output": block.output,
        "operation_log": block.operation_log,
        "operations": operations,
        "tpu": tpu,
        "cpu": cpu,
        "partial_mapping": None if cpu is None else cpu > 0,
        "subgraphs": block.facts.get("subgraphs"),
        "input_size_bytes": block.facts.get("input_size_bytes"),
        "output_size_bytes": block.facts.get("output_size_bytes"),
        "available_bytes": block.facts.get("available_bytes"),
        "cached_bytes": block.facts.get("cached_bytes"),
        "remaining_bytes": block.facts.get("remaining_bytes"),
        "streamed_bytes": block.facts.get("streamed_bytes"),
        "rows_complete": block.has_all_rows() if block.has_table else None,
        "rows": [asdict(row) for row in block.rows],
    }


def _attempt(target: Target, attempt: Attempt) -> Dict[str, Any]:
    """Describe one attempt: `operations` and `intermediate_tensors` are those that a search tried."""
    failure = None if attempt.is_success else _why(attempt)
    return {
        "ok": failure is None,
        "kind": failure.kind if failure else None,
        "search_step": target.step,
        "operations": attempt.operations,
        "intermediate_tensors": attempt.tensors.split(",") if attempt.tensors else [],
        "timeout_s": attempt.timeout_s,
        "milliseconds": attempt.milliseconds,
    }


def _why(attempt: Attempt) -> Failure:
    if attempt.words:
        return explain(attempt.words)
    return named("silent", NO_REASON) if attempt.is_over else named("unfinished", UNFINISHED)


def _failure(runs: List[Run]) -> Optional[Failure]:
    """Choose what to tell of what failed and was not made good: the last that has a reason, else the last."""
    failures = [failure for run in _unanswered(runs) for failure in _failures(run)]
    telling = [failure for failure in failures if failure.kind not in {"silent", "unfinished"}]
    return next(reversed(telling or failures), None)


def _failures(run: Run) -> List[Failure]:
    if run.is_usage:
        return [named("usage")]
    if not run.targets:
        return [named("silent", NO_REASON)]
    return [_why_not(target) for target in run.targets if not target.is_success]


def _why_not(target: Target) -> Failure:
    """Tell why a target failed: a search goes on after a failure, so its last attempt need not have an end."""
    if not target.attempts:
        return named("unfinished", UNFINISHED)
    with_words = [attempt for attempt in target.attempts if attempt.words]
    ended = [attempt for attempt in target.attempts if attempt.is_over]
    return _why((with_words or ended or target.attempts)[-1])


def _unanswered(runs: List[Run]) -> List[Run]:
    """Leave out runs that do not count: what failed and later succeeded, and calls that compiled nothing.

    14.1 is known to fail and then succeed on the same input (google-coral/edgetpu issue 211); people publish all of it.
    A later success makes a failure good unless the two are known to be about different models.
    """
    left: List[Run] = []
    good: Set[str] = set()
    is_any_good = is_any_later = False
    can_skip = any(run.targets for run in runs)
    for run in reversed(runs):
        names = run.models()
        if run.is_success:
            is_any_good = is_any_good or not names
            good |= names
        elif not run.targets:
            if not (is_any_later or (can_skip and (run.is_query or run.is_usage))):
                left.append(run)
        elif not (is_any_good or names & good or (good and not names)):
            left.append(run)
        is_any_later = is_any_later or bool(run.targets)
    return left[::-1]


def _nothing_mapped(models: List[Dict[str, Any]]) -> Optional[Failure]:
    idle = [model for model in models if model["tpu"] == 0]
    if not idle:
        return None
    name = idle[0]["input"] or "the model"
    return named(
        "nothing-mapped", "%s: none of %d operations runs on the Edge TPU" % (name, idle[0]["operations"] or 0)
    )
