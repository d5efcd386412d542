"""Says in sentences what the page compares: other data, other training, other machines, and by which rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Optional

from stages.paper.compare import input_size
from stages.paper.study import NEAR
from stages.paper.verdicts import RULES
from stages.report import words

if TYPE_CHECKING:
    from stages.paper.compare import Replay

FRONT = (
    "A file is on the front when no other of its machine is at least as good in accuracy, size and latency and better "
    "in one. "
    "The front takes the values as they are: read it with the intervals, since files within them may change "
    "places. Latencies are medians of single inferences, batch 1, of the runtime named."
)
STUDY = (
    "The study's file has a head of 1,000 classes, ours one for the classes of this data set: only what a recipe "
    "saves compares, and the verdict is on the ratio, which agrees within %d %%. Accuracies are of other images "
    "and latencies of another processor (ours: tflite-cpu); they stand here without a verdict. "
    "'benchmarks/sizes.py' compares the bytes with a 1,000-class head. KB are of 1,024 bytes, as in the study."
)
HANDED = (
    "Each file against the one that it was made from, on the same test images. McNemar's exact test compares the "
    "images that only one of the two gets right; a difference with p of 0.05 or more is not called one."
)
MARKS = (
    "Values with a dagger are published ones, in violet; a value with ~ is predicted; all others are numbers of "
    "this run's records, with 95 % bootstrap intervals for accuracies and standard deviations for latencies. What "
    "could not be measured has a footnote with the reason."
)


def lead(replay: Replay) -> str:
    """Say first of all that the data are not the paper's."""
    return "This is not the paper's data set. %s" % words.data(replay.gathered.dataset)


def circumstances(replay: Replay) -> List[str]:
    """Say what the paper's values and ours were made from."""
    paper, gathered = replay.published.paper, replay.gathered
    here = "Here: %s Images as the networks get them: %s."
    there = "The paper: %s; %s training and %s test events. Images as the networks get them: %s."
    theirs = {model: replay.published.input_size(model) for model in gathered.models}
    ours = {model: input_size(gathered, model) for model in gathered.models}
    return [
        here % (words.counts(gathered.dataset.read_json("dataset.json")), _sizes(replay, ours)),
        there % (paper["data"], f"{paper['train_events']:,}", f"{paper['test_events']:,}", _sizes(replay, theirs)),
        *words.trainings(gathered),
    ]


def _sizes(replay: Replay, sizes: Dict[str, Optional[int]]) -> str:
    return ", ".join("%s %d px" % (replay.published.title(model), size) for model, size in sizes.items() if size)


def rules(replay: Replay) -> List[str]:
    """State the rule of each table, and what of the paper's Table 3 is derived."""
    told = replay.published.paper["energy"]
    return [
        RULES["accuracy"],
        RULES["latency"],
        "%s The paper's side is %s. %s" % (RULES["energy"], told["derived"], told["watts_source"]),
    ]


def study() -> str:
    """Say what of the study compares."""
    return STUDY % round(100 * NEAR)
