"""What calibrate.py measures; runs in the convert environment and prints one JSON object.

python benchmarks/inconvert.py MODEL SIZE IMAGES ROUNDS
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from tensorflow.lite.python.optimize import calibrator  # noqa: E402
from tensorflow.lite.tools import flatbuffer_utils  # noqa: E402

from stages.convert.calibration import Observer  # noqa: E402
from stages.convert.network import float_flatbuffer  # noqa: E402
from stages.convert.ranges import RULES, minimum_maximum  # noqa: E402
from stages.images import ImageSet, Row, as_floats  # noqa: E402
from stages.models import build  # noqa: E402
from stages.rewrite import rewrite  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stages.convert.ranges import Ranges

BRIGHT = 0.006  # share of pixels that are not background, as in the events
NEAR = 1e-4  # of a range's width


def main() -> None:
    """Measure in turns: all ways once a round."""
    model, size, count, rounds = sys.argv[1], *map(int, sys.argv[2:])
    cores = len(os.sched_getaffinity(0))
    flatbuffer = float_flatbuffer(rewrite(build(model, size, 3))[0])
    found: dict[str, Any] = {"stock_s": [], "one_s": [], "all_s": [], "cores": cores}
    with tempfile.TemporaryDirectory() as folder:
        images, rows = make_images(Path(folder), size, count)
        for _ in range(rounds):
            began = time.perf_counter()
            calibrated = stock(flatbuffer, images, rows, size)
            found["stock_s"].append(time.perf_counter() - began)
            for key, threads in (("one_s", 1), ("all_s", cores)):
                began = time.perf_counter()
                ranges = ours(flatbuffer, images, rows, size, threads)
                found[key].append(time.perf_counter() - began)
    found["activations"], found["equal"] = len(ranges), compare(ranges, calibrated)
    print(json.dumps({"model": model, "size": size, "images": count, **found}))


def make_images(folder: Path, size: int, count: int) -> tuple[ImageSet, list[Row]]:
    """Write sparse PNGs."""
    rng = np.random.default_rng(1)
    rows = []
    for number in range(count):
        noise = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
        place = folder / f"{number}.png"
        Image.fromarray(np.where(rng.random((size, size, 1)) < BRIGHT, noise, 0).astype(np.uint8)).save(place)
        rows.append(Row(place.name, 0, hashlib.sha256(place.read_bytes()).hexdigest()))
    return ImageSet(folder.resolve(), ("all",), {"train": tuple(rows)}), rows


def stock(flatbuffer: bytes, images: ImageSet, rows: list[Row], size: int) -> bytes:
    """Calibrate as the converter does once it has its float file."""

    def representative() -> Iterator[list[Any]]:
        for row in rows:
            yield [as_floats(images.load(row, size))[np.newaxis]]

    return bytes(calibrator.Calibrator(calibrator.add_intermediate_tensors(flatbuffer)).calibrate(representative))


def ours(flatbuffer: bytes, images: ImageSet, rows: list[Row], size: int, threads: int) -> Ranges:
    """Watch all images and apply every rule; the ranges of minimum and maximum are what can be compared."""
    observer = Observer(flatbuffer, lambda row: images.load(row, size), size, threads)
    statistics = observer.statistics(rows)
    for rule in RULES.values():
        rule(statistics)
    return minimum_maximum(statistics)


def compare(ranges: Ranges, calibrated: bytes) -> int:
    """Count the activations whose range is the stock one; zero, which the quantiser takes in, is in both."""
    tensors = stock_ranges(calibrated)
    equal = 0
    for index, (low, high) in ranges.items():
        low, high = min(low, 0.0), max(high, 0.0)  # noqa: PLW2901
        stock_low, stock_high = min(tensors[index][0], 0.0), max(tensors[index][1], 0.0)
        equal += max(abs(low - stock_low), abs(high - stock_high)) <= NEAR * max(high - low, NEAR)
    return equal


def stock_ranges(calibrated: bytes) -> list[tuple[float, float]]:
    """Read what the calibrator wrote to each tensor."""
    graph = flatbuffer_utils.convert_bytearray_to_object(bytearray(calibrated)).subgraphs[0]
    told = [tensor.quantization for tensor in graph.tensors]
    return [
        (float(one.min[0]), float(one.max[0])) if one is not None and one.min is not None and len(one.min) else (0, 0)
        for one in told
    ]


if __name__ == "__main__":
    main()
