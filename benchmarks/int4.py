"""Static int8 against ptq-int4 of EfficientNetV2B0 (3 classes, 224 px) in LiteRT: size, memory, speed, execution.

    .coralline/host/bin/python benchmarks/int4.py [--rounds 15]

Goals: a file of at most 4.4 MiB, at least five times smaller than float32, a median of at most 1.10 times int8's in
turns within one process, no more memory than int8, and int4-native execution of at least 90 % of the weights.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from typing import Any

from made import inside
from measure import HOME, commit
from tabulate import tabulate

from coralline import host

FILES = ("float32", "int8", "int4")
MOST_BYTES, LEAST_COMPRESSION, MOST_TIME, LEAST_NATIVE = int(4.4 * 2**20), 5.0, 1.10, 0.90


def main() -> None:
    """Print the table, the goals, and one JSON line; end with 1 where a goal is missed."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--rounds", type=int, default=15)
    folder = HOME / "int4"
    inside("convert", "fourbits.py", folder)
    paths = [folder / f"{name}.tflite" for name in FILES]
    told = inside("benchmark-litert", "inlitert.py", asked.parse_args().rounds, *paths)
    found = told["files"]
    print(tabulate([_line(name, found) for name in FILES], headers="keys", floatfmt=".2f", tablefmt="github"))
    figures = goals(found)
    print(tabulate([[name, *one] for name, one in figures.items()], ["goal", "limit", "found", "met"]))
    document = {"machine": host.facts(), "commit": commit(), "load": told["load"], "files": found, "goals": figures}
    print(json.dumps({"benchmark": "int4", **document}))
    sys.exit(0 if all(met for *_, met in figures.values()) else 1)


def goals(found: dict[str, Any]) -> dict[str, tuple[float, float, bool]]:
    """Limit, what was found, and whether it is met."""
    large, int8, int4 = (found[name] for name in FILES)
    compression = large["file_bytes"] / int4["file_bytes"]
    time = statistics.median(b / a for a, b in zip(int8["rounds_ms"], int4["rounds_ms"], strict=True))
    memory = int4["ram_bytes"] / int8["ram_bytes"]
    return {
        "file, bytes": (MOST_BYTES, int4["file_bytes"], int4["file_bytes"] <= MOST_BYTES),
        "compression": (LEAST_COMPRESSION, compression, compression >= LEAST_COMPRESSION),
        "time over int8's": (MOST_TIME, time, time <= MOST_TIME),
        "RAM over int8's": (1.0, memory, memory <= 1),
        "int4-native share": (LEAST_NATIVE, int4["int4_native_share"], int4["int4_native_share"] >= LEAST_NATIVE),
    }


def _line(name: str, found: dict[str, Any]) -> dict[str, Any]:
    one = found[name]
    return {
        "file": name,
        "MiB": one["file_bytes"] / 2**20,
        "compression": found["float32"]["file_bytes"] / one["file_bytes"],
        "RAM, MiB": one["ram_bytes"] / 2**20,
        "median, ms": one["median_ms"],
        "executed as": ", ".join(sorted(set(one["executed_as"].values()))),
    }


if __name__ == "__main__":
    main()
