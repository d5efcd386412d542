"""Print what is known of runs, of what the store can do without, what is corrupt and what differs; or as values."""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING, Any

from coralline import console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coralline.care.collect import Limits, Piece, Removed, Survey
    from coralline.care.compare import Comparison, Difference
    from coralline.care.fsck import Corrupt, Examined
    from coralline.runs import Run

STATES = ("made", "reused", "blocked", "failed")
WIDEST = 44  # characters of a value in a table
MOST_NAMES = 2  # models, recipes or runs that are written out in a line
MOST_LINES = 20  # of a list whose rest is counted


def described(run: Run, claimed: set[str]) -> dict[str, Any]:
    """Return what is told of a run, as plain values."""
    states = [told["state"] for told in run.steps.values()]
    return {
        "run": run.id,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(run.started_s)),
        "state": str(run.state(claimed)),
        "request": {name: value for name, value in run.request.items() if name != "values"},
        "steps": {state: states.count(state) for state in STATES},
        "kept": run.is_kept,
    }


def show_runs(told: Sequence[dict[str, Any]]) -> None:
    """Print a line for each run."""
    headers = ["run", "state", "models", "recipes", "profile", "engine", *STATES, ""]
    console.show_table(headers, [_row(one) for one in told], disable_numparse=True)


def _row(told: dict[str, Any]) -> list[str]:
    asked, counts = told["request"], [str(told["steps"][state] or "") for state in STATES]
    names = [_few(asked.get("models", ()), "models"), _few(asked.get("recipes", ()), "recipes")]
    words = [*names, str(asked.get("profile", "")), str(asked.get("engine", ""))]
    return [told["run"], told["state"], *words, *counts, "kept" if told["kept"] else ""]


def _few(names: Sequence[str], kind: str) -> str:
    return ", ".join(names) if len(names) <= MOST_NAMES else f"{len(names)} {kind}"


def collected(found: Survey, removed: Removed | None) -> dict[str, Any]:
    """Return what was found, or freed, as plain values."""
    pieces = found.pieces if removed is None else removed.pieces
    return {
        "schema": "coralline.collection",
        "version": 1,
        "deleted": removed is not None,
        "bytes": sum(piece.size_bytes for piece in pieces),
        "pieces": [_piece(piece) for piece in pieces],
        "spared": [] if removed is None else [_piece(piece) for piece in removed.spared],
        "runs_that_stay": found.stay,
        "store_bytes": found.size_bytes,
    }


def _piece(piece: Piece) -> dict[str, Any]:
    return {"kind": str(piece.kind), "name": piece.name, "bytes": piece.size_bytes}


def show_collected(found: Survey, removed: Removed | None, limits: Limits) -> None:
    """Print what can go, or has gone, in a table by kind."""
    pieces = found.pieces if removed is None else removed.pieces
    kinds = dict.fromkeys(piece.kind for piece in pieces)
    cells = [
        [str(kind), len(own), _size(sum(piece.size_bytes for piece in own))]
        for kind in kinds
        for own in [[piece for piece in pieces if piece.kind is kind]]
    ]
    if cells:
        console.show_table(["what", "count", "size"], cells, disable_numparse=True, colalign=("left", "right", "right"))
    for line in _cut([f"run {piece.name}" for piece in pieces if piece.kind.name == "RUN"]):
        print(line)
    for piece in removed.spared if removed else ():
        print(f"spared {piece.kind} {piece.name}: it came into use, was changed, or belongs to another user")
    freed = sum(piece.size_bytes for piece in pieces)
    print(
        f"{'freed' if removed else 'would free'} {_size(freed)}; runs that stay, with all they used: {len(found.stay)}"
    )
    if limits.size_bytes is not None and found.size_bytes is not None and found.size_bytes - freed > limits.size_bytes:
        print(f"the rest takes {_size(found.size_bytes - freed)}: it is marked, in use, or of the latest run")
    if removed is None and pieces:
        print("next    the same with --delete")


def examined(found: Examined) -> dict[str, Any]:
    """Return what fsck found, as plain values."""
    return {
        "schema": "coralline.care.fsck",
        "version": 1,
        "artifacts": found.artifacts,
        "bytes": found.size_bytes,
        "unsealed": found.unsealed,
        "corrupt": [_corrupt(one) for one in found.corrupt],
        "in_use": [{"key": key, "label": label} for key, label in found.in_use.items()],
    }


def _corrupt(one: Corrupt) -> dict[str, Any]:
    return {
        "key": one.key,
        "label": one.label,
        "faults": one.faults,
        "moved_to": str(one.moved_to),
        "made_from_it": [{"key": key, "label": label} for key, label in one.dependents.items()],
        "runs": one.runs,
    }


def show_examined(found: Examined) -> None:
    """Print each corrupt artifact with its faults and what depended on it."""
    for one in found.corrupt:
        print(f"corrupt {one.label} {one.key}")
        for fault in one.faults:
            print(f"  {fault}")
        print(f"  moved to {one.moved_to}; the next run makes it again")
        for line in _cut([f"made from it: {label} {key[:12]}" for key, label in one.dependents.items()]):
            print(f"  {line}")
        if one.runs:
            print(f"  used by {', '.join(one.runs[:MOST_NAMES])}{_rest(one.runs, MOST_NAMES, 'runs')}")
    for key, label in found.in_use.items():
        print(f"in use, not looked at again: {label} {key}; it looked broken, so do this once more later")
    if found.unsealed:
        print(f"{found.unsealed} without a seal (from before records had one): their numbers could not be checked")
    print(f"artifacts: {found.artifacts}, {_size(found.size_bytes)} read; corrupt: {len(found.corrupt) or 'none'}")
    if any(one.dependents for one in found.corrupt):
        print(
            "what was made from it is kept; if it was made after the damage, make it again with --from", file=sys.stderr
        )


def compared(left: str, right: str, told: Comparison) -> dict[str, Any]:
    """Return all that differs between two runs, as plain values."""
    return {
        "schema": "coralline.diff",
        "version": 1,
        "left": left,
        "right": right,
        "request": [_difference(one) for one in told.request],
        "steps": {label: [_difference(one) for one in rows] for label, rows in told.steps.items()},
        "same_bytes": told.same_bytes,
        "equal": told.equal,
        "only_left": told.only_left,
        "only_right": told.only_right,
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {"kind": one.kind, "name": one.name, "left": one.left, "right": one.right, "change": one.change}


def show_compared(left: str, right: str, told: Comparison) -> None:
    """Print a table for each step that differs."""
    headers = ["what", left, right, "change"]
    for label, rows in {"request": told.request, **told.steps}.items():
        if rows:
            print(f"{label}{': made differently, the same bytes' if label in told.same_bytes else ''}")
            cells = [[f"{one.kind} {one.name}", *_sides(one), _change(one)] for one in rows]
            console.show_table(headers, cells, disable_numparse=True)
            print()
    for name, labels in ((left, told.only_left), (right, told.only_right)):
        for line in _cut([f"only in {name}: {label}" for label in labels]):
            print(line)
    print(f"steps that are the same: {told.equal}, that differ: {len(told.steps)}")


def _sides(one: Difference) -> tuple[str, str]:
    """Write both sides; of two lists what the other one lacks, or all where only the order differs."""
    left, right = one.left, one.right
    if isinstance(left, list) and isinstance(right, list) and sorted(left, key=str) != sorted(right, key=str):
        left, right = [item for item in left if item not in right], [item for item in right if item not in left]
    return _shown(left), _shown(right)


def _shown(value: Any) -> str:
    """Write a value as short as it can be told from another: digests by their beginning."""
    if value is None or value == []:
        return "-"
    if isinstance(value, list):
        return _shown(", ".join(map(str, value)))
    if isinstance(value, float):
        return f"{value:.6g}"
    words = str(value).split(" ") if isinstance(value, str) else [str(value)]
    text = " ".join(word[:19] if re.fullmatch(r"(sha256:)?[0-9a-f]{64}", word) else word for word in words)
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def _change(one: Difference) -> str:
    return "" if one.change is None else f"{one.change:+.4g}"


def _cut(lines: list[str]) -> list[str]:
    return lines[:MOST_LINES] + ([_rest(lines, MOST_LINES, "more").lstrip()] if len(lines) > MOST_LINES else [])


def _rest(names: Sequence[str], shown: int, kind: str) -> str:
    return f" and {len(names) - shown} {kind}" if len(names) > shown else ""


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
