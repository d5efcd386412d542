"""Full int8 that keeps what the float network can do: structure, ranges and biases, judged on held-out images.

1. BatchNorm that cannot be folded is rewritten (stages/rewrite.py), which changes nothing in float.
2. Calibration images are watched in growing numbers until ranges and score have converged.
3. Candidates (search.py) are made from those ranges; the best one by the judging images is kept.
4. Where that one is not within tolerance, single ranges are searched and, last of all, weights tuned (resort.py).
5. The doctor says which activations are still far from the float network's, and why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Sequence, Tuple

import numpy as np

from stages.convert.calibration import Observer, draw
from stages.convert.doctor import examine
from stages.convert.int8 import quantise
from stages.convert.judge import Judge, judging_rows, unseen
from stages.convert.network import float_flatbuffer
from stages.convert.ranges import Ranges, change, clip_swish, mean_of_extremes, minimum_maximum, swish_inputs
from stages.convert.resort import Resorts
from stages.convert.search import Search
from stages.convert.source import Converted, Source
from stages.progress import Progress
from stages.rewrite import rewrite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.convert.ranges import Statistics
    from stages.convert.search import Candidate
    from stages.images import Row
    from stages.tasks.score import Score

FIRST_ROUND = 50  # calibration images; each round doubles them
CONVERGED_WIDTH = 0.02  # median change of the widths of the ranges from one round to the next
CONVERGED_REGRET = 0.001  # change of the score from one round to the next
CORRECTING = (16, 48)  # fewest and most calibration images that biases are corrected on
CORRECTING_PIXELS = 48 * 128 * 128  # of all of them: what one operator makes of them lies in memory, in float
EXAMINED = 16  # of them, that the doctor looks at
# Other kernels round differently: they agree on 95 to 97 % of the predictions.
KERNELS = "XNNPACK of TensorFlow's TFLite interpreter; under built_in those without a delegate"


def convert(source: Source) -> Converted:
    """Make the best int8 file that can be found, and say how it was found."""
    return Tuning(source).run()


class Tuning:
    """One network, one draw of calibration images, one set of judging images."""

    def __init__(self, source: Source) -> None:
        self._source = source
        task = source.task()
        self._images = task.images
        self._judged = judging_rows(source, self._images)
        self._rows = draw(source, self._images, [row.path for row in self._judged])
        model, self._rewritten = rewrite(source.model)
        self._flatbuffer = float_flatbuffer(model)
        truths = [task.truth(row, source.input_size) for row in self._judged]
        pixels = self._pixels(self._judged)
        self._unseen = unseen(source, self._judged)
        self._judge = Judge(
            pixels, truths, self._flatbuffer, source.step.threads, compare=task.compare, unseen=self._unseen
        )
        self._observer = self._observe(self._flatbuffer)
        self._swish = swish_inputs(self._observer.model)

    def run(self) -> Converted:
        """Calibrate, search, examine."""
        statistics, curve = self._calibrate()
        used = self._rows[: statistics.images]
        fewest, most = CORRECTING
        count = CORRECTING_PIXELS // self._source.input_size**2
        correcting = self._pixels(used[: min(most, max(fewest, count))])
        search = Search(self._source.step, self._flatbuffer, self._judge, correcting, self._swish)
        found = search.run(statistics)
        resorts = Resorts(self._source.step, self._flatbuffer, self._judge, correcting, lambda: self._pixels(used))
        best = resorts.run(found, search.plainly(found.rule))
        calibration = {
            "images": [row.path for row in used],
            "seed": self._source.step.parameters["calibration_seed"],
            "asked": self._source.step.parameters["calibration_images"],
            "convergence": curve,
        }
        quantisation = {
            "kernels": KERNELS,
            "judging_images": len(self._judged),
            "of_them_kept_for_validation": self._unseen,
            "float32": self._judge.reference.document(),
            "remedies": self._remedies(statistics, search, found) + resorts.remedies(),
            "candidates": [one.document() for one in sorted(search.tried + resorts.tried, key=lambda one: one.order)],
            **({"last_resorts": resorts.documents} if resorts.documents else {}),
            "chosen": best.document(),
            "worst_activations": examine(self._flatbuffer, best.content, correcting[:EXAMINED]),
        }
        return Converted(best.content, calibration, quantisation)

    def _calibrate(self) -> Tuple[Statistics, List[Dict[str, Any]]]:
        """Watch calibration images in growing numbers; return their statistics and the curve."""
        progress = Progress(self._source.step, len(self._rows), "image", "calibrating")
        statistics = self._observer.statistics(self._rows[:FIRST_ROUND], progress)
        ranges, score = self._scored(statistics)
        curve = [{"images": statistics.images, "change_of_ranges": None, **score.document()}]
        while statistics.images < len(self._rows):
            rows = self._rows[statistics.images : 2 * statistics.images]
            statistics = statistics.joined(self._observer.statistics(rows, progress))
            before, ranges = ranges, clip_swish(mean_of_extremes(statistics), self._swish)
            last, (ranges, score) = score, self._scored(statistics)
            moved = change(before, ranges)
            curve.append({"images": statistics.images, "change_of_ranges": round(moved, 6), **score.document()})
            if moved < CONVERGED_WIDTH and abs(score.regret - last.regret) < CONVERGED_REGRET:
                break
        return statistics, curve

    def _scored(self, statistics: Statistics) -> Tuple[Ranges, Score]:
        """Score by the rule whose ranges converge; those of minimum and maximum only grow."""
        ranges = clip_swish(mean_of_extremes(statistics), self._swish)
        return ranges, self._judge.score(quantise(self._flatbuffer, ranges))

    def _remedies(self, statistics: Statistics, search: Search, best: Candidate) -> List[Dict[str, Any]]:
        """Say what each remedy brought, one after the other, from the stock way of quantising to the best candidate."""
        steps: List[Tuple[str, Score]] = []
        if self._rewritten:
            stock = float_flatbuffer(self._source.model)
            seen = self._observe(stock).statistics(self._rows[: statistics.images], None)
            steps.append(("minimum and maximum", self._judge.score(quantise(stock, minimum_maximum(seen)))))
        plain = quantise(self._flatbuffer, minimum_maximum(statistics))
        name = "%d BatchNorm as depthwise convolution" % len(self._rewritten)
        steps.append((name if self._rewritten else "minimum and maximum", self._judge.score(plain)))
        if self._swish:
            steps.append(("swish inputs cut at -8", search.plainly("minimum-maximum").score))
        steps.append(("ranges by %s" % best.rule, search.plainly(best.rule).score))
        if best.corrected:
            steps.append(("sequential bias correction", best.score))
        return [{"remedy": name, **score.document()} for name, score in steps]

    def _observe(self, flatbuffer: bytes) -> Observer:
        size = self._source.input_size
        return Observer(flatbuffer, lambda row: self._images.load(row, size), size, self._source.step.threads)

    def _pixels(self, rows: Sequence[Row]) -> NDArray[np.uint8]:
        return np.stack([self._images.load(row, self._source.input_size) for row in rows])
