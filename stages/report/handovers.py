"""Where accuracy is lost or won: each file against the one that it was made from, on the same test images.

McNemar's test looks only at images that one of the two gets right: by chance either is as often the one. A difference
is called one when the exact test (a binomial one, scipy.stats.binomtest) says that chance alone does it in less than
5 % of cases; no correction is made for the number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Iterator, List, Optional, Tuple

from scipy import stats

from stages.report.evaluated import evaluated, is_simulated, metric, runtime_cell
from stages.report.gather import KERAS, LITERT, TFLITE
from stages.report.table import NOT_APPLICABLE, Cell, Table, derived, measured, word

if TYPE_CHECKING:
    from stages.report.gather import Artifact, Gathered

SIGNIFICANT = 0.05
FLOAT32 = "float32"


@dataclass(frozen=True)
class Pair:
    """How two predictions of the same images compare: images, equal answers, right in one of them only."""

    images: int
    same: int
    lost: int
    won: int

    @property
    def p_value(self) -> float:
        """How often chance alone makes them differ as much, from 0 to 1."""
        apart = self.lost + self.won
        return float(stats.binomtest(self.lost, apart).pvalue) if apart else 1.0

    @property
    def verdict(self) -> str:
        """What may be said of it."""
        if self.p_value >= SIGNIFICANT:
            return "no difference shown"
        return "worse" if self.lost > self.won else "better"


def handovers(gathered: Gathered) -> Table:
    """One row for each file or simulated network and the one that it was made from."""
    titles = ["before", "after", "same answer, %", "right only before", "right only after", "p (McNemar)", "verdict"]
    table = Table("handovers", "Hand-overs", ["model", "from", "to", *titles], words=3)
    for before, after in _steps(gathered):
        pair = compare(before, after)
        if pair is None:
            continue
        how = "%d test images; %s and %s" % (pair.images, before.label, after.label)
        table.rows.append(
            [
                word(after.axis("model")),
                word(_name(before)),
                word(_name(after)),
                measured(before, metric(before, "balanced_accuracy"), "{:.3f}"),
                measured(after, metric(after, "balanced_accuracy"), "{:.3f}"),
                derived(100 * pair.same / pair.images, "{:.1f}", how),
                derived(pair.lost, "{:.0f}", how),
                derived(pair.won, "{:.0f}", how),
                derived(pair.p_value, "{:.3f}", how),
                Cell(pair.verdict, pair.p_value, title=how) if pair.images else NOT_APPLICABLE,
            ]
        )
    return table


def compare(before: Artifact, after: Artifact) -> Optional[Pair]:
    """Compare two benchmarks; None when they are not of the same images, or do not name classes."""
    old, new = _read(before), _read(after)
    if not old or old.keys() != new.keys():
        return None
    right = [(old[path][0] == old[path][1], new[path][0] == new[path][1]) for path in old]
    return Pair(
        images=len(right),
        same=sum(old[path][1] == new[path][1] for path in old),
        lost=sum(was and not now for was, now in right),
        won=sum(now and not was for was, now in right),
    )


def _steps(gathered: Gathered) -> Iterator[Tuple[Artifact, Artifact]]:
    for after in evaluated(gathered):
        before = _before(gathered, after)
        if before is not None:
            yield before, after


def _before(gathered: Gathered, after: Artifact) -> Optional[Artifact]:
    """Find what a file was made from: a compiled one from its recipe's, float32 from Keras, all else from float32.

    A recipe with a training of its own goes by that: the simulated network comes from Keras, the file from the
    simulated network. The same file on other kernels stands against tflite-runtime's; one that runs on those alone
    stands against float32 there.
    """
    model, recipe = after.axis("model"), after.axis("recipe")
    if recipe == KERAS:
        return None
    keras = gathered.find("benchmark", model=model, recipe=KERAS)
    if is_simulated(after):
        return keras
    simulated = gathered.find("qat", model=model, recipe=recipe)
    if gathered.is_narrow(model or "", recipe or ""):
        return simulated or gathered.find("benchmark", model=model, recipe=FLOAT32, runtime=LITERT)
    if after.axis("runtime") in ("edgetpu", LITERT):
        return gathered.find("benchmark", model=model, recipe=recipe, runtime=TFLITE)
    float32 = gathered.find("benchmark", model=model, recipe=FLOAT32, runtime=TFLITE)
    return keras if recipe == FLOAT32 else simulated or float32 or keras


def _name(artifact: Artifact) -> str:
    return "%s, %s" % (artifact.axis("recipe"), runtime_cell(artifact).plain)


def _read(artifact: Artifact) -> Dict[str, List[str]]:
    """Read label and predicted class of each image."""
    rows = artifact.read_csv("predictions.csv")
    return {row["path"]: [row["label"], row["predicted"]] for row in rows if "predicted" in row}
