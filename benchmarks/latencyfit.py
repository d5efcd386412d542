"""Fit the constants of the latency model; run by predict.py in an environment that has SciPy.

    python benchmarks/latencyfit.py FOLDER             # the networks of networks.py: cache_bytes and stream_bytes_s
    python benchmarks/latencyfit.py --cycles FOLDER    # test_data of google-coral/edgetpu: cycles

Prints one JSON object. Latencies: for each network the published one, the prediction with constants fitted to all, and
the one with constants fitted to all but it. The result is written into stages/edgetpu/latency.json by hand.
"""

from __future__ import annotations

import copy
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import optimize, stats

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from stages.edgetpu.compiled.inspection import inspect  # noqa: E402
from stages.edgetpu.estimate import bound, time_layers, time_parts  # noqa: E402
from stages.edgetpu.knowledge import read  # noqa: E402
from stages.edgetpu.survey import Survey, survey  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

USB, CLOCK = 3, "max"
STARTS = (6e6, 6.5e6, 7e6, 7.5e6)  # whole layers make steps, and local minima, in the room on the chip
KINDS = ("pointwise", "spatial", "depthwise", "elementwise")
Known = dict[str, Any]


@dataclass(frozen=True)
class Network:
    """A network whose latency was published; one with a `doubt` is predicted, but nothing is fitted to it."""

    name: str
    published_ms: float
    source: str
    doubt: str
    seen: Survey


def main() -> None:
    """Print what was fitted."""
    words = sys.argv[1:]
    if words[0] == "--cycles":
        print(json.dumps(cycles(Path(words[1]))))
        return
    networks = load(Path(words[0]))
    trusted = [network for network in networks if not network.doubt]
    known = fitted(trusted)
    rows = [_row(network, known, trusted) for network in networks]
    inside = [row for row in rows if not row["doubt"]]
    print(json.dumps({"fitted": _free(known), "rows": rows, **_summary(inside)}))


def load(folder: Path) -> list[Network]:
    """Survey the networks of published.json that are in the folder."""
    table = json.loads((PROJECT / "benchmarks" / "published.json").read_text(encoding="utf-8"))["networks"]
    return [
        Network(
            f"{entry['name']} {entry['size']}",
            entry["latency_ms"],
            entry["source"],
            entry.get("doubt", ""),
            survey((folder / "{name}-{size}-{classes}.tflite".format(**entry)).read_bytes()),
        )
        for entry in table
    ]


def predict(network: Network, known: Known) -> float:
    """Predict one inference, ms."""
    layers = time_layers(network.seen, known, usb=USB, clock=CLOCK)
    return sum(time_parts(network.seen, layers, known, usb=USB).values())


def fitted(networks: Sequence[Network]) -> Known:
    """Fit the two free constants by least squares of the logarithm, so that every network counts alike."""

    def loss(logarithms: Sequence[float]) -> float:
        known = _with(np.exp(logarithms))
        return float(sum(np.log(predict(network, known) / network.published_ms) ** 2 for network in networks))

    tried = [
        optimize.minimize(loss, np.log([room, 4.3e8]), method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-5})
        for room in STARTS
    ]
    return _with(np.exp(min(tried, key=lambda found: found.fun).x))


def _with(free: Sequence[float]) -> Known:
    known = copy.deepcopy(read("latency"))
    known["cache_bytes"]["value"], known["usb"][str(USB)]["stream_bytes_s"] = float(free[0]), float(free[1])
    return known


def _free(known: Known) -> dict[str, float]:
    return {
        "cache_bytes": known["cache_bytes"]["value"],
        "stream_bytes_s": known["usb"][str(USB)]["stream_bytes_s"],
    }


def _row(network: Network, known: Known, trusted: Sequence[Network]) -> dict[str, Any]:
    others = fitted([other for other in trusted if other is not network]) if not network.doubt else known
    layers = time_layers(network.seen, known, usb=USB, clock=CLOCK)
    parts = time_parts(network.seen, layers, known, usb=USB)
    return {
        "network": network.name,
        "source": network.source,
        "doubt": network.doubt,
        "published_ms": network.published_ms,
        "fitted_ms": sum(parts.values()),
        "left_out_ms": predict(network, others),
        "parameter_bytes": network.seen.parameter_bytes,
        "bound": bound(parts),
    }


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    published = np.array([row["published_ms"] for row in rows])
    inside = np.array([row["fitted_ms"] for row in rows]) / published
    outside = np.array([row["left_out_ms"] for row in rows]) / published
    return {
        "error_in_sample": float(np.abs(inside - 1).mean()),
        "error_left_out": float(np.abs(outside - 1).mean()),
        "rank_correlation": float(stats.spearmanr(outside * published, published).statistic),
        "interval": float(np.exp(1.96 * np.sqrt(np.mean(np.log(outside) ** 2))) - 1),
    }


def cycles(folder: Path) -> dict[str, Any]:
    """Fit the cost of a piece of work to the cycles that old compilers wrote into their files."""
    names, rows, told = [], [], []
    for compiled in sorted(folder.rglob("*_edgetpu.tflite")):
        source = compiled.with_name(compiled.name.removesuffix("_edgetpu.tflite") + ".tflite")
        found = inspect(compiled.read_bytes())["estimated_cycles"] if source.exists() else None
        if found and found not in told:  # the same network with other weights counts once
            seen = survey(source.read_bytes())
            rows.append([sum(entry.units for entry in seen.layers if entry.kind == kind) for kind in KINDS])
            names.append(compiled.stem)
            told.append(found)
    units, wanted = np.array(rows, float), np.array(told, float)
    costs, _ = optimize.nnls(units / wanted[:, None], np.ones(len(wanted)))
    errors = units @ costs / wanted - 1
    return {
        "cycles": dict(zip(KINDS, costs.tolist(), strict=True)),
        "errors": dict(zip(names, errors.tolist(), strict=True)),
        "mean_error": float(np.abs(errors).mean()),
    }


if __name__ == "__main__":
    main()
