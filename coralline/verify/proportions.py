"""Whether two networks are right equally often: intervals for the difference of two proportions, from counts alone.

Newcombe's interval from Wilson's scores (Statistics in Medicine 17, 1998, 873-890, method 10), which also holds for few
images and for shares of 0 and 1, where resampling gives an interval of no width. The images are taken as two samples;
they are the same images, so the true interval is no wider. A closed form of the standard library's normal quantile: the
host needs no SciPy for it.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from coralline.verify.subject import content
from coralline.verify.verdict import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from coralline.store import Artifact

LEVEL = 0.99  # of all proportions of one artifact together
ALL = "accuracy"
TABLE = "predictions.csv"


class Count(NamedTuple):
    """So many right of so many images."""

    right: int
    images: int


def counts(artifact: Artifact) -> dict[str, Count]:
    """Return how often each class, and all images, were recognised; from the record where there are no predictions."""
    if (artifact.path / TABLE).is_file():
        return _counted(artifact.path / TABLE)
    told = {number["metric"]: number for number in artifact.record["numbers"]}
    accuracy = told.get(ALL)
    if accuracy is None or not accuracy.get("n"):
        return {}
    count = Count(round(accuracy["value"] * accuracy["n"]), int(accuracy["n"]))
    if not 0 <= count.right <= count.images:
        raise ValueError(f"{ALL} {accuracy['value']} is no share of {accuracy['n']} images")
    return {ALL: count}


def _counted(table: Path) -> dict[str, Count]:
    images, right = Counter[str](), Counter[str]()
    for row in csv.DictReader(io.StringIO(content(table).decode("utf-8"), newline="")):
        for name in (ALL, f"recall of class {row['label']}"):
            images[name] += 1
            right[name] += row["label"] == row["predicted"]
    return {name: Count(right[name], images[name]) for name in sorted(images)}


def compare(original: Mapping[str, Count], rebuilt: Mapping[str, Count]) -> list[Interval]:
    """Say for each share that both have in which interval the rebuilt one counts as equal."""
    common = [name for name in original if name in rebuilt and original[name].images and rebuilt[name].images]
    return [_interval(name, original[name], rebuilt[name], 1 - (1 - LEVEL) / len(common)) for name in common]


def could_differ(original: Mapping[str, Count], rebuilt: Mapping[str, Count]) -> bool:
    """Whether any rebuilt share could have been told from the original one: of a few images none can."""
    worst = ({name: Count(right * one.images, one.images) for name, one in rebuilt.items()} for right in (0, 1))
    return any(not one.holds for shares in worst for one in compare(original, shares))


def _interval(name: str, original: Count, rebuilt: Count, level: float) -> Interval:
    """Place the interval around the original: the difference is compatible with none if the rebuilt share is inside."""
    then, now = original.right / original.images, rebuilt.right / rebuilt.images
    low, high = difference(original, rebuilt, level)
    return Interval(
        name=name,
        original=then,
        rebuilt=now,
        low=max(0.0, then - (high - (now - then))),
        high=min(1.0, then + ((now - then) - low)),
        unit="1",
        rule=f"no difference lies in the {100 * LEVEL:g} % interval (Newcombe) of {rebuilt.images} and"
        f" {original.images} images",
    )


def difference(original: Count, rebuilt: Count, level: float) -> tuple[float, float]:
    """Return the interval of rebuilt minus original."""
    (then, then_low, then_high), (now, now_low, now_high) = _wilson(original, level), _wilson(rebuilt, level)
    return (
        now - then - sqrt((now - now_low) ** 2 + (then_high - then) ** 2),
        now - then + sqrt((now_high - now) ** 2 + (then - then_low) ** 2),
    )


def _wilson(count: Count, level: float) -> tuple[float, float, float]:
    """Return a share and the ends of its interval by Wilson (1927)."""
    share, n = count.right / count.images, count.images
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    middle = share + z2 / (2 * n)
    reach = sqrt(z2 * (share * (1 - share) + z2 / (4 * n)) / n)
    return share, (middle - reach) / (1 + z2 / n), (middle + reach) / (1 + z2 / n)
