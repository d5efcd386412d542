"""Networks of lookup tables: evaluations per second of one core, and how good two minutes of it are from both starts.

    .coralline/host/bin/python benchmarks/lutnet.py [--seconds 120]

Goals: at least 1,000 evaluations a second; at least 0.80 of the test waveforms right after 120 s from wires drawn at
random, at least 0.88 from the gradient start. Seconds are processor time.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from made import inside
from measure import commit

from coralline import host


def main() -> None:
    """Print what was found."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--seconds", type=float, default=120.0)
    told = asked.parse_args()
    found = inside("evolve", "inevolve.py", told.seconds)
    for start in ("random", "gradient"):
        one = found[start]
        print(
            f"{start:9}{one['evaluations_per_s']:7,.0f} evaluations/s; {one['evaluations']:,} in {told.seconds:g} s:"
            f" {one['test_accuracy']:.4f} of the test waveforms with {one['tables']} tables of {one['inputs']} inputs"
        )
    print(f"logistic regression {found['logistic']:.4f}, float network {found['float_network']:.4f}")
    print(json.dumps({"benchmark": "lutnet", "machine": host.facts(), "commit": commit(), **found}))


if __name__ == "__main__":
    main()
