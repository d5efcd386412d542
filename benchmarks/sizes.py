"""Sizes of EfficientNetV2B0 with 1,000 classes by recipe, beside those of the TFLite study.

    .coralline/host/bin/python benchmarks/sizes.py

Goal: within 1 % of the study, whose KB are 1,024 bytes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import PROJECT, Environment, commit
from tabulate import tabulate

from coralline.engines import HOME as STATE

STUDY_KIB = {"float32": 27_859, "float16": 13_995, "dynamic": 7_692, "ptq-int8-stock": 8_227}


def main() -> None:
    """Print the table and one JSON line."""
    lock = PROJECT / "docker" / "convert" / "requirements.lock"
    where = Environment("convert", lock, STATE / "environments")
    where.ensure(lambda text: print(text, file=sys.stderr))
    script = PROJECT / "benchmarks" / "studysizes.py"
    told = subprocess.run([where.python, script], check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, int] = json.loads(told.splitlines()[-1])
    lines = [
        {
            "recipe": recipe,
            "KiB": round(size / 1024),
            "study": STUDY_KIB[recipe],
            "difference, %": round(100 * (size / 1024 / STUDY_KIB[recipe] - 1), 2),
            "saved, %": round(100 * (1 - size / found["float32"]), 1),
            "ratio": round(found["float32"] / size, 2),
        }
        for recipe, size in found.items()
    ]
    print(tabulate(lines, headers="keys", tablefmt="github"))
    print(json.dumps({"benchmark": "sizes", "commit": commit(), "lines": lines}))


if __name__ == "__main__":
    main()
