"""What may differ between two makings of the same artifact, and why: the only place that says so.

A file that is not in this table must be the same bytes. Host-side data, not a stage's: it decides nothing about what is
made, and so counts in no key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from coralline import question
from coralline.verify.subject import content, document

if TYPE_CHECKING:
    from pathlib import Path


class Way(StrEnum):
    """How two files are compared that differ as they are."""

    VARYING_BYTES = "without the tokens of the compiler and times of packing"
    FIELDS = "without some fields"
    LINES = "without some lines"
    LATENCY = "by intervals"
    PREDICTIONS = "by the share of right predictions, and on other machines only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One file of one stage that may differ.

    `left_out` names the fields, after those that they lie in, or holds the expressions for the lines.
    """

    stage: str
    path: str
    way: Way
    reason: str
    left_out: tuple[str, ...] = ()


WEIGHTS = "another kind of processor, or number of threads, trains other weights"
ROUNDING = "kernels round by processor"
SCORES = "it follows from the predictions"
TRAINED = {
    **dict.fromkeys(("weights.h5", "model.json", "history.csv", "predictions.csv"), WEIGHTS),
    "metrics.json": SCORES,
}
PREDICTED = {
    "train": {**TRAINED, "confusion_matrix.png": SCORES, "classification_report.txt": SCORES},
    "qat": TRAINED,
    "benchmark": {"predictions.csv": ROUNDING, "accuracy.json": SCORES},
}

RULES = (
    Rule(
        stage="compile",
        path="model_edgetpu.tflite",
        way=Way.VARYING_BYTES,
        reason="the compiler writes another parameter caching token, and the time, in every run",
    ),
    Rule(
        stage="compile",
        path="compile.json",
        way=Way.FIELDS,
        left_out=("sha256",),
        reason="it has the digest of the compiled file, token included",
    ),
    Rule(
        stage="compile",
        path="compiler.log",
        way=Way.LINES,
        left_out=(r"Model compiled successfully in \d+ ms", r"(Input|Output) model: ", r"Operation log: "),
        reason="the compiler says how long it took, and in which folders it worked",
    ),
    Rule(stage="benchmark", path="latency.json", way=Way.LATENCY, reason="it is a measurement of time"),
    Rule(
        stage="benchmark",
        path="execution.json",
        way=Way.FIELDS,
        left_out=("ram_bytes", "passing_bytes", "kinds.ram_bytes"),
        reason="a process may hold some pages of memory more or less; what it shows of the weights must be the same",
    ),
    *(
        Rule(stage=stage, path=path, way=Way.PREDICTIONS, reason=reason)
        for stage, paths in PREDICTED.items()
        for path, reason in paths.items()
    ),
)


# Of what gathers, when it read other artifacts that were judged equal: its own files cannot be the same then.
GATHERED = "it prints numbers, keys and machines of what it gathers, and each of those is judged by itself"


def rule_of(stage: str, path: str) -> Rule | None:
    """Return what may differ in a file of a stage; None when nothing may."""
    return next((rule for rule in RULES if (rule.stage, rule.path) == (stage, path)), None)


def is_equal(rule: Rule, original: Path, rebuilt: Path) -> bool:
    """Whether two files are the same but for what the rule leaves out.

    Raises:
        ProfileError: one cannot be read as what it is.
    """
    match rule.way:
        case Way.VARYING_BYTES:
            return _masked(original) == _masked(rebuilt)
        case Way.FIELDS:
            return _fields(rule, original) == _fields(rule, rebuilt)
        case Way.LINES:
            return _lines(rule, original) == _lines(rule, rebuilt)
        case _:
            raise AssertionError(rule)  # numbers are compared elsewhere


def _masked(path: Path) -> object:
    """Return the digest without tokens; it is taken anew from the bytes, by the stage's own reader in a process."""
    return question.ask("digest", path)["sha256_masked"]


def _fields(rule: Rule, path: Path) -> object:
    return _without(document(path), rule.left_out)


def _without(told: object, names: tuple[str, ...], place: str = "") -> object:
    if isinstance(told, list):
        return [_without(one, names, place) for one in told]
    if isinstance(told, dict):
        kept = {name: value for name, value in told.items() if place + name not in names}
        return {name: _without(value, names, f"{place}{name}.") for name, value in kept.items()}
    return told


def _lines(rule: Rule, path: Path) -> list[str]:
    varying = re.compile("|".join(rule.left_out))
    lines = content(path).decode("utf-8", errors="replace").splitlines()
    return [line for line in lines if not varying.match(line)]
