"""How long calibration takes beside that of TensorFlow's converter: from float32 file and images to ranges.

    .coralline/host/bin/python benchmarks/calibrate.py [--images 500] [--rounds 3] [--model inceptionv3] [--size 299]

The stock way is the converter's calibrator over a representative data set; ours is what `ptq-int8` does: the extremes
of every image are kept and all rules applied. Both read the same PNGs and take turns. Ours runs with one thread, as a
step of convert does, and with one for each core. Weights are random: no time depends on them. Goal: at most half of
the stock time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from made import inside
from measure import commit
from tabulate import tabulate

from coralline import host

WAYS = {"stock_s": "the converter's calibrator", "one_s": "ours, one thread", "all_s": "ours, all cores"}


def main() -> None:
    """Print what was found."""
    words = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    words.add_argument("--images", type=int, default=500)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--model", default="inceptionv3")
    words.add_argument("--size", type=int, default=299)
    told = words.parse_args()
    found = inside("convert", "inconvert.py", told.model, told.size, told.images, told.rounds)
    stock = statistics.median(found["stock_s"])
    lines = [
        {
            "calibration": name,
            "median, s": round(statistics.median(found[key]), 2),
            "fastest, s": round(min(found[key]), 2),
            "slowest, s": round(max(found[key]), 2),
            "ms per image": round(1000 * statistics.median(found[key]) / told.images, 1),
            "of the stock time": f"{statistics.median(found[key]) / stock:.2f}",
        }
        for key, name in WAYS.items()
    ]
    print(f"{told.model} at {told.size} px, {told.images} images, {told.rounds} rounds, {found['cores']} cores")
    print(tabulate(lines, headers="keys", tablefmt="github"))
    print(f"the same ranges: {found['equal']} of {found['activations']} activations")
    ratios = {key: statistics.median(found[key]) / stock for key in WAYS}
    print(
        json.dumps({"benchmark": "calibrate", "machine": host.facts(), "commit": commit(), "ratios": ratios, **found})
    )


if __name__ == "__main__":
    main()
