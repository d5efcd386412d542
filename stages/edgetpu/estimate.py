"""Predict latency and energy of an int8 file on the USB Accelerator, from shapes, bytes and a few constants.

    t = fixed + (instructions + inputs) / in + max(cycles / clock, streamed parameters / stream) + outputs / out

Whole layers stay on the chip in execution order as long as there is room; the others are streamed on every inference,
while the array works on the layers before them. Operators that stay on the CPU are not part of it. With a compiled
file its exact bytes take the place of estimates. Constants and their derivation: latency.json.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Set

from stages.edgetpu.knowledge import read
from stages.edgetpu.survey import Layer, Survey, survey

VERSION = 1
DOMINATES = 0.2  # a part that takes more than this share of the time is named
WORTH_IT = 0.02  # less of the time is not worth a change of the network


def estimate(content: bytes, *, usb: int = 3, clock: str = "std", compiled: Optional[bytes] = None) -> Dict[str, Any]:
    """Predict one inference: the document of `estimate --json`.

    Args:
        content: an int8 TFLite file that is not compiled.
        usb: 2 or 3.
        clock: `std` or `max`, the variant of the runtime.
        compiled: the same file compiled, if there is one.

    Raises:
        MalformedFile: it is not a TFLite file.
        InputError: no operator of it would run on the Edge TPU.
    """
    known, seen = read("latency"), survey(content, compiled)
    layers = time_layers(seen, known, usb=usb, clock=clock)
    parts = time_parts(seen, layers, known, usb=usb)
    total, error, power = sum(parts.values()), float(known["relative_error"]["value"]), known["power_w"]
    latency = {"value": total, "low": total / (1 + error), "high": total * (1 + error)}
    streamed = sum(entry["streamed_bytes"] for entry in layers)
    return {
        "schema": "coralline.estimate",
        "version": VERSION,
        "usb": usb,
        "clock": clock,
        "latency_ms": latency,
        "energy_mj": {name: latency[name] * float(power[name]) for name in ("value", "low", "high")},
        "parts_ms": parts,
        "bound": bound(parts),
        "cached_bytes": seen.parameter_bytes - streamed if seen.exact is None else seen.exact.cached_bytes,
        "streamed_bytes": streamed,
        "instruction_bytes": instruction_bytes(seen, known),
        "input_bytes": seen.input_bytes,
        "output_bytes": seen.output_bytes,
        "exact_bytes": seen.exact is not None,
        "cpu_operators": seen.cpu,
        "layers": layers,
        "advice": _advice(seen, layers, parts, known),
    }


def time_layers(seen: Survey, known: Mapping[str, Any], *, usb: int, clock: str) -> List[Dict[str, Any]]:
    """Time each layer in three ways, ms: on the array, on the bus for parameters, on the bus for inputs and outputs."""
    bus, hertz = known["usb"][str(usb)], float(known["clock_hz"][clock])
    told = []
    for entry, streamed in zip(seen.layers, streamed_bytes(seen, known)):
        times = {
            "compute": 1e3 * entry.units * float(known["cycles"][entry.kind]) / hertz,
            "stream": 1e3 * streamed / bus["stream_bytes_s"],
            "transfer": 1e3 * (entry.moved_in / bus["in_bytes_s"] + entry.moved_out / bus["out_bytes_s"]),
        }
        told.append(
            {
                "index": entry.index,
                "operator": entry.operator,
                "layer": entry.name,
                "parameter_bytes": entry.parameter_bytes,
                "streamed_bytes": streamed,
                **{"%s_ms" % name: value for name, value in times.items()},
                "bound": max(times, key=lambda name: times[name]) if any(times.values()) else "nothing",
            }
        )
    return told


def time_parts(
    seen: Survey, layers: Sequence[Mapping[str, Any]], known: Mapping[str, Any], *, usb: int
) -> Dict[str, float]:
    """Sum the parts of an inference, ms; `stream` is how long the array waits for parameters."""
    bus = known["usb"][str(usb)]
    compute = sum(entry["compute_ms"] for entry in layers)
    return {
        "fixed": float(bus["fixed_ms"]),
        "instructions": 1e3 * instruction_bytes(seen, known) / bus["in_bytes_s"],
        "input": 1e3 * seen.input_bytes / bus["in_bytes_s"],
        "compute": compute,
        "stream": max(0.0, sum(entry["stream_ms"] for entry in layers) - compute),
        "output": 1e3 * seen.output_bytes / bus["out_bytes_s"],
    }


def bound(parts: Mapping[str, float]) -> str:
    """Name what an inference waits for most: the array (compute), its parameters (stream) or the bus (transfer)."""
    transfer = parts["instructions"] + parts["input"] + parts["output"]
    if transfer > parts["compute"] + parts["stream"]:
        return "transfer"
    return "stream" if parts["stream"] else "compute"


def streamed_bytes(seen: Survey, known: Mapping[str, Any]) -> List[int]:
    """Share out what is streamed on every inference: by packing, and scaled to the exact sum where a file states it."""
    if seen.exact is None:
        kept = pack(seen.layers, int(known["cache_bytes"]["value"]))
        return [0 if entry.index in kept else entry.parameter_bytes for entry in seen.layers]
    if not seen.exact.streamed_bytes:
        return [0] * len(seen.layers)
    kept = pack(seen.layers, seen.exact.cached_bytes)
    guessed = [0 if entry.index in kept else entry.parameter_bytes for entry in seen.layers]
    guessed = guessed if any(guessed) else [entry.parameter_bytes for entry in seen.layers]
    return _scaled(guessed, seen.exact.streamed_bytes)


def _scaled(shares: Sequence[int], total: int) -> List[int]:
    """Scale whole numbers to a sum, exactly: what rounding leaves over goes to the largest."""
    whole = max(1, sum(shares))
    scaled = [share * total // whole for share in shares]
    if scaled:
        scaled[shares.index(max(shares))] += total - sum(scaled)
    return scaled


def pack(layers: Sequence[Layer], room: int) -> Set[int]:
    """Choose the operators whose parameters stay on the chip: in execution order, whole, while there is room."""
    kept: Set[int] = set()
    for entry in layers:
        if entry.parameter_bytes <= room and not entry.tall:
            kept.add(entry.index)
            room -= entry.parameter_bytes
    return kept


def instruction_bytes(seen: Survey, known: Mapping[str, Any]) -> int:
    """Estimate the instructions of one inference, in bytes, where no compiled file states them."""
    if seen.exact is not None:
        return seen.exact.instruction_bytes
    per = known["instructions"]
    written = sum(entry.written for entry in seen.layers)
    return round(float(per["per_operator"]) * len(seen.layers) + float(per["per_element"]) * written)


def _advice(
    seen: Survey, layers: Sequence[Mapping[str, Any]], parts: Mapping[str, float], known: Mapping[str, Any]
) -> List[str]:
    """Say what would make it faster, the largest effect first; nothing of what is not worth the work."""
    total = sum(parts.values())
    streamed, room = sum(entry["streamed_bytes"] for entry in layers), int(known["cache_bytes"]["value"])
    told = []
    if parts["stream"] > WORTH_IT * total:
        text = (
            "%.2f MiB of parameters do not fit on the chip: make the network %d %% smaller, "
            "or cut it into segments for %d sticks; that saves %.1f ms"
        )
        share, sticks = 100 * streamed // seen.parameter_bytes, -(-seen.parameter_bytes // room)
        told.append(text % (streamed / 2**20, share, max(2, sticks), parts["stream"]))
    slower = "stream" if parts["stream"] else "compute"
    told += [
        "layer %s (operator %d, %s): %.0f %% of the time, by its %s"
        % (entry["layer"], entry["index"], entry["operator"], 100 * entry[slower + "_ms"] / total, slower)
        for entry in layers
        if entry[slower + "_ms"] > DOMINATES * total
    ]
    told += [
        "%s: %.0f %% of the time goes over the bus" % (name, 100 * parts[name] / total)
        for name in ("input", "output", "instructions")
        if parts[name] > DOMINATES * total
    ]
    if seen.cpu:
        told.append("%d operators stay on the CPU and are not part of this" % sum(seen.cpu.values()))
    return told
