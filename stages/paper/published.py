"""What the paper and the TFLite study published, read from `published.json`: their values, never ours."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

PLACE = Path(__file__).parent / "published.json"
TABLES = ("accuracy", "latency", "energy")
COVERAGE = 1.96  # standard deviations of a 95 % interval
PERCENT = 100


@dataclass(frozen=True)
class Value:
    """A published value in the unit of its table, with its standard deviation where one is given."""

    value: float
    std: Optional[float] = None


@dataclass(frozen=True)
class Published:
    """Everything that was published."""

    document: Dict[str, Any]

    @property
    def paper(self) -> Dict[str, Any]:
        """The paper: source, data, models and tables."""
        found: Dict[str, Any] = self.document["paper"]
        return found

    @property
    def study(self) -> Dict[str, Any]:
        """The TFLite study: source, model and rows."""
        found: Dict[str, Any] = self.document["study"]
        return found

    def title(self, model: str) -> str:
        """Name a model as the paper does, and one that it does not know by its own name."""
        return str(self.paper["models"].get(model, {}).get("title", model))

    def input_size(self, model: str) -> Optional[int]:
        """Edge of the paper's images in pixels."""
        known: Optional[int] = self.paper["models"].get(model, {}).get("input_size")
        return known

    def columns(self, table: str) -> List[str]:
        """Name the columns of a table; those of energy are those of latency."""
        names: List[str] = self.paper["latency" if table == "energy" else table]["columns"]
        return names

    def processor(self, column: str) -> str:
        """Name what the paper measured a column of its latencies on."""
        return str(self.paper["latency"]["processors"][self.columns("latency").index(column)])

    def watts(self, column: str) -> float:
        """TDP that stands for the paper's processor of a column of its latencies."""
        return float(self.paper["energy"]["watts"][self.columns("latency").index(column)])

    def half_width(self, percent: float) -> float:
        """Half the 95 % interval of a balanced accuracy of the paper, both in %, as if all recalls were equal."""
        share, counts = percent / PERCENT, self.paper["test_class_counts"]
        variance = share * (1 - share) * sum(1 / count for count in counts) / len(counts) ** 2
        return PERCENT * COVERAGE * math.sqrt(variance)

    def value(self, table: str, model: str, column: str) -> Optional[Value]:
        """Find a value; None for a model that the paper has not."""
        if table == "energy":
            found, watts = self.value("latency", model, column), self.watts(column)
            return found and Value(found.value * watts, None if found.std is None else found.std * watts)
        row = self.paper[table]["values"].get(model)
        if row is None:
            return None
        place = self.columns(table).index(column)
        return Value(*row[place]) if isinstance(row[place], list) else Value(row[place])

    def studied(self) -> Iterator[Dict[str, Any]]:
        """Yield the rows of the TFLite study."""
        yield from self.study["rows"]


def read() -> Published:
    """Read the file."""
    return Published(json.loads(PLACE.read_text(encoding="utf-8")))
