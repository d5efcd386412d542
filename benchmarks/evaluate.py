"""How much faster a TFLite file is evaluated on all cores than by one interpreter with one thread.

    .coralline/host/bin/python benchmarks/evaluate.py [--images 5000]

Goal on 2 cores: at least 1.8 times the throughput, the same predictions, and decoding PNGs is not what takes the time.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from made import asked, converted, in_benchmark
from measure import commit

from coralline import host


def main() -> None:
    """Print what was found."""
    told = asked(__doc__ or "", "images", 5000)
    found = in_benchmark("evaluate", *converted(told.model, told.recipe), told.images)
    print(f"one interpreter {found['one_s']:.1f} s, all cores {found['all_s']:.1f} s: {found['speed_up']:.2f} times")
    print(f"same predictions: {found['same_predictions']}; decoding {100 * found['decoding_share']:.1f} % of the first")
    print(json.dumps({"benchmark": "evaluate", "machine": host.facts(), "commit": commit(), **found}))


if __name__ == "__main__":
    main()
