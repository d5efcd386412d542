"""A compiler log for people: what became of each model, and which rows of the table are causes.

Most rows that are not mapped often say that more than one subgraph is not supported. These operators are fine: they
stand behind or beside the first one that is not, and would map if that one did (google-coral/edgetpu issue 461).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Row = Mapping[str, Any]

MAPPED = "Mapped to Edge TPU"
CONSEQUENCE = "More than one subgraph is not supported"


def consequences(rows: Sequence[Row]) -> list[Row]:
    """Pick the rows that say nothing of their operators, but that an operator before them does not map."""
    return [row for row in rows if row["status"] == CONSEQUENCE]


def causes(rows: Sequence[Row]) -> list[Row]:
    """Pick the rows with a reason of their own; the table has no order, so it does not tell which comes first."""
    return [row for row in rows if row["status"] not in {MAPPED, CONSEQUENCE}]


def lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Tell what `question.ask("parse-log", ...)` answered."""
    version = document["compiler_version"]
    yield "compiler %s: %s" % (version or "of unknown version", "compiled" if document["ok"] else "failed")
    failure = document["failure"]
    if failure:
        yield "  %s: %s" % (failure["kind"], failure["message"])
        yield "  why: %s" % failure["cause"]
        yield "  what to do: %s" % failure["advice"]
    for model in document["models"]:
        yield from _model_lines(model)


def _model_lines(model: Mapping[str, Any]) -> Iterator[str]:
    yield "%s -> %s" % (model["input"] or "a model", model["output"] or "?")
    counts = [_count(model[name]) for name in ("tpu", "operations", "cpu", "subgraphs")]
    yield "  %s of %s operations on the Edge TPU, %s on the CPU; subgraphs: %s" % tuple(counts)
    sizes = [_count(model[name]) for name in ("cached_bytes", "remaining_bytes", "streamed_bytes")]
    yield "  parameters: %s bytes on the chip, %s bytes left there, %s bytes streamed" % tuple(sizes)
    for row in causes(model["rows"]):
        yield "  on the CPU: %d %s: %s" % (row["count"], row["operator"], row["status"])
    behind = consequences(model["rows"])
    if behind:
        kinds = ", ".join("%d %s" % (row["count"], row["operator"]) for row in behind)
        total = sum(row["count"] for row in behind)
        yield "  and %d more only because they follow the first of these: %s" % (total, kinds)


def _count(value: Any) -> str:
    return "unknown" if value is None else format(value, ",")
