"""What measuring a latency costs, and whether three measurements of a minute agree.

    .coralline/host/bin/python benchmarks/harness.py [--seconds 60]

Goals: at most 20 microseconds for each inference over invoke() itself; the medians agree within 2 % on an idle machine,
else the records say "unstable".
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
    told = asked(__doc__ or "", "seconds", 60)
    found = in_benchmark("harness", *converted(told.model, told.recipe), told.seconds)
    print(f"invoke() alone {found['invoke_us']:.1f} us, the harness adds {found['overhead_us']:.2f} us")
    medians = ", ".join(f"{value:.3f}" for value in found["p50_ms"])
    print(f"p50 of three times {told.seconds} s: {medians} ms, {100 * found['p50_spread']:.2f} % apart")
    print(*found["remarks"], sep="\n")
    print(json.dumps({"benchmark": "harness", "machine": host.facts(), "commit": commit(), **found}))


if __name__ == "__main__":
    main()
