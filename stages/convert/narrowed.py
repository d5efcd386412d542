"""Weights of four bits that keep what the int8 file can do: candidates are made from it, judged, and the best one kept.

A candidate is a way of rounding, with or without the biases corrected once more. As in the search for the int8 file
itself, held-out images of the training split decide, and never the test split.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from stages.contract import InputError
from stages.convert.bias import correct_biases
from stages.convert.calibration import draw
from stages.convert.doctor import examine
from stages.convert.judge import Judge, judging_rows, unseen
from stages.convert.narrow import RULES, native, packed, stand_in
from stages.convert.network import float_flatbuffer
from stages.convert.source import Converted
from stages.convert.tuned import CORRECTING, CORRECTING_PIXELS, EXAMINED
from stages.progress import Progress
from stages.rewrite import rewrite
from stages.tflite.flat import MalformedFile
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.convert.source import Source
    from stages.images import ImageSet, Row
    from stages.tasks.score import Score

# 4 bits may cost 0.015 of balanced accuracy; a regret of this size is within that as judge.TOLERANCE is within 0.010.
TOLERANCE = 0.009


class Candidate(NamedTuple):
    """One stand-in for a file of four bits, and how it did."""

    rounding: str
    corrected: bool
    content: bytes
    score: Score

    def document(self) -> Dict[str, Any]:
        """Describe for `conversion.json`."""
        return {"rounding": self.rounding, "bias_correction": self.corrected, **self.score.document()}


def convert(source: Source) -> Converted:
    """Make the best file of four bits that can be found, and say how it was found.

    Raises:
        InputError: there is no int8 file, or nothing in it can have four bits.
    """
    narrowing = Narrowing(source)
    return narrowing.converted(narrowing.places)


class Narrowing:
    """One int8 file on its way to four bits: `places` are those of the operators that can have them."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.int8, task = _int8(source), source.task()
        images = task.images
        judged = judging_rows(source, images)
        self._rows = draw(source, images, [row.path for row in judged])[: _count(source)]
        self.flatbuffer = float_flatbuffer(rewrite(source.model)[0])
        self.pixels = _pixels(source, images, self._rows)
        truths = [task.truth(row, source.input_size) for row in judged]
        pixels = _pixels(source, images, judged)
        kept = unseen(source, judged)
        self.judge = Judge(pixels, truths, self.flatbuffer, source.step.threads, compare=task.compare, unseen=kept)
        self.places = native(read_model(self.int8))

    def converted(self, places: Sequence[int], plan: Optional[Dict[str, Any]] = None) -> Converted:
        """Make the best file with four bits at `places`; `plan` says how these came to be."""
        found = self._candidates(places)
        best = min(found, key=lambda one: one.score.order)
        if best.score.regret > TOLERANCE:
            self._source.step.warning("weights of four bits are expected to lose %.3f of accuracy" % best.score.regret)
        calibration = {
            "images": [row.path for row in self._rows],
            "seed": self._source.step.parameters["calibration_seed"],
            "asked": self._source.step.parameters["calibration_images"],
        }
        int8 = {"remedy": "full int8", **self.judge.score(self.int8).document()}
        quantisation = {
            "kernels": "XNNPACK of TensorFlow's TFLite interpreter",
            "judging_images": self.judge.images,
            "float32": self.judge.reference.document(),
            "remedies": [int8, *_remedies(found)],
            "candidates": [one.document() for one in sorted(found, key=lambda one: one.score.order)],
            "chosen": best.document(),
            "narrowed_operators": len(places),
            **({"plan": plan} if plan else {}),
            "worst_activations": examine(self.flatbuffer, best.content, self.pixels[:EXAMINED]),
        }
        return Converted(packed(best.content, places), calibration, quantisation)

    def _candidates(self, places: Sequence[int]) -> List[Candidate]:
        progress = Progress(self._source.step, 2 * len(RULES), "candidate", "rounding")
        found = []
        for name, rule in RULES.items():
            plain = stand_in(self.int8, self.pixels, rule, places)
            for corrected, content in ((False, plain), (True, correct_biases(plain, self.flatbuffer, self.pixels))):
                found.append(Candidate(name, corrected, content, self.judge.score(content)))
                progress.advance()
        return found


def _remedies(found: List[Candidate]) -> List[Dict[str, Any]]:
    names = {False: "4 bits, %s", True: "4 bits, %s, biases corrected"}
    return [{"remedy": names[one.corrected] % one.rounding, **one.score.document()} for one in found]


def _int8(source: Source) -> bytes:
    """Read the int8 file that this one is made from."""
    content = (source.step.inputs["int8"] / "model.tflite").read_bytes()
    try:
        places = native(read_model(content))
    except MalformedFile as error:
        raise InputError("the int8 file cannot be read: %s" % error, "make it again: --from convert") from error
    if not places:
        raise InputError(
            "%s has no 1x1 convolution of stride 1 with an even number of inputs, and nothing else runs at four bits"
            % source.name,
            "leave the recipe out for this model",
        )
    return content


def _count(source: Source) -> int:
    """How many calibration images an operator is rounded on: what it makes of them lies in memory."""
    fewest, most = CORRECTING
    return min(most, max(fewest, CORRECTING_PIXELS // source.input_size**2))


def _pixels(source: Source, images: ImageSet, rows: List[Row]) -> NDArray[np.uint8]:
    return np.stack([images.load(row, source.input_size) for row in rows])
