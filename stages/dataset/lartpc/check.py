"""Compare the model with expected.json: `python -m stages.dataset.lartpc.check` prints tables and exits 1 on a miss.

It measures section 10.1 (argon), 10.2 (single particles) and 10.3 (a sample of whole events).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence

from stages.dataset.lartpc import measure

Entry = Mapping[str, Any]

TABLES = ("tables", "single", "sample")


class Row(NamedTuple):
    """One number beside what it should be."""

    name: str
    found: float
    expected: float
    tolerance: float

    @property
    def is_met(self) -> bool:
        """Whether the number lies within its tolerance (the last bits do not count)."""
        return abs(self.found - self.expected) <= self.tolerance * (1.0 + 1e-9)

    def __str__(self) -> str:
        """Return one line of the table."""
        verdict = "ok" if self.is_met else "MISS"
        return f"{self.name:44s} {self.found:11.4g} {self.expected:11.4g} {self.tolerance:11.3g}  {verdict}"


def expected() -> Dict[str, Dict[str, Entry]]:
    """Return the expected values and tolerances by table."""
    text = Path(__file__).with_name("expected.json").read_text(encoding="utf-8")
    loaded: Dict[str, Dict[str, Entry]] = json.loads(text)
    return {table: loaded[table] for table in TABLES}


def compare(entries: Mapping[str, Entry], found: Mapping[str, measure.Values]) -> List[Row]:
    """Return one row per expected number; `found` is by class, with "all" for tables without classes."""
    return [
        row
        for quantity, entry in entries.items()
        for group in found
        if group in entry
        for row in _rows(quantity if group == "all" else f"{quantity} {group}", entry, group, found[group][quantity])
    ]


def _rows(name: str, entry: Entry, group: str, found: Sequence[float]) -> Iterator[Row]:
    """Yield the rows of one quantity; the wider of the absolute and the relative tolerance counts."""
    values = _numbers(entry[group], len(found))
    relative = _numbers(entry.get("relative", 0.0), len(found))
    absolute = _numbers(entry.get("absolute", 0.0), len(found))
    for place, value in enumerate(values):
        label = name if len(values) == 1 else f"{name} [{place}]"
        yield Row(label, found[place], value, max(absolute[place], relative[place] * abs(value)))


def _numbers(value: Any, count: int) -> List[float]:
    """Return `count` numbers from one number or a list of as many."""
    numbers = value if isinstance(value, list) else [value] * count
    if len(numbers) != count:
        raise ValueError(f"expected.json: {value!r} should be one number or {count}")
    return [float(number) for number in numbers]


def run(events: int, scale: float, seed: int) -> Dict[str, List[Row]]:
    """Measure everything and return the rows by table."""
    limits = expected()
    return {
        "tables": compare(limits["tables"], {"all": measure.tables_of_argon()}),
        "single": compare(limits["single"], {"all": measure.single_particles(scale)}),
        "sample": compare(limits["sample"], measure.sample(events, seed)),
    }


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Print all tables; return 0 when every number is within its tolerance, else 1."""
    parser = argparse.ArgumentParser(prog="python -m stages.dataset.lartpc.check", description=__doc__)
    parser.add_argument("--events", type=int, default=4000, help="events per class (default %(default)s)")
    parser.add_argument("--scale", type=float, default=1.0, help="number of single particles, relative")
    parser.add_argument("--seed", type=int, default=2026, help="seed of the sample (default %(default)s)")
    options = parser.parse_args(arguments)
    results = run(options.events, options.scale, options.seed)
    for table, rows in results.items():
        print(f"\n{table:44s} {'found':>11s} {'expected':>11s} {'tolerance':>11s}")
        print("\n".join(str(row) for row in rows))
    missed = [row for rows in results.values() for row in rows if not row.is_met]
    total = sum(len(rows) for rows in results.values())
    for entries in expected().values():
        for name, entry in entries.items():
            if "note" in entry:
                print(f"\nnote: {name}, {entry['note']}")
    print(f"\n{total - len(missed)} of {total} numbers within tolerance")
    print("".join(f"MISS {row}\n" for row in missed), end="")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
