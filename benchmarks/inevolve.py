"""What lutnet.py measures; runs in the evolve environment and prints one JSON object.

python benchmarks/inevolve.py SECONDS
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import numpy as np  # noqa: E402

from stages.contract import Step  # noqa: E402
from stages.dataset.sources import waveforms  # noqa: E402
from stages.evolve import baselines, genomes, kernels  # noqa: E402
from stages.evolve.checkpoint import Checkpoints  # noqa: E402
from stages.evolve.evolution import Evolution, network_of  # noqa: E402
from stages.evolve.genomes import Frame  # noqa: E402
from stages.evolve.material import WORD, Material, prepare  # noqa: E402
from stages.evolve.search import with_neurons  # noqa: E402
from stages.evolve.settings import Settings  # noqa: E402
from stages.evolve.spec import SPEC  # noqa: E402
from stages.lut.network import classes  # noqa: E402
from stages.waveforms import Waveforms, read_waveforms  # noqa: E402

if TYPE_CHECKING:
    from stages.evolve.search import State

ENOUGH = 4_000_000  # evaluations: more than a core does in two minutes; a try on the validation part for each hundredth
ROUNDS = 40


class TimeIsUpError(Exception):
    """The processor time of a search is spent; `state` is how far it came."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state


def main() -> None:
    """Make the default data, and search from both starts for so many seconds of processor time each."""
    seconds = float(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        data = made(Path(folder))
    material = prepare(data.train)
    found: dict[str, Any] = {"seconds": seconds}
    for start in ("random", "gradient"):
        found[start] = searched(start, data, material, seconds)
        found[start]["evaluations_per_s"] = pace(start, material)
    for name, hidden in (("logistic", 0), ("float_network", baselines.HIDDEN)):
        fitted = baselines.fit(name, hidden, data.train, material.search.size, data.test, 1)
        found[name] = float((fitted.predicted == data.test.labels).mean())
    print(json.dumps(found))


def made(out: Path) -> Waveforms:
    """Make the data set that a user gets who sets nothing."""
    parameters = {one.name: one.default for one in waveforms.SOURCE.parameters}
    waveforms.make(Step("dataset", "dataset", parameters, 1, {}, out, None, events=io.StringIO()))
    return read_waveforms(out)


def settings(start: str) -> Settings:
    """Return the defaults, but for the start and the budget, which is time here."""
    return Settings.read({one.name: one.default for one in SPEC.parameters} | {"start": start, "evaluations": ENOUGH})


def searched(start: str, data: Waveforms, material: Material, seconds: float) -> dict[str, Any]:
    """Search until the processor time is spent, compilation and gradient included; test what was best."""
    told, began = settings(start), time.process_time()

    class Bounded(Evolution):
        def _checked(self, state: State) -> None:
            if time.process_time() - began > seconds:
                raise TimeIsUpError(state)

    with tempfile.TemporaryDirectory() as folder:
        step = Step("evolve", "evolve", {}, 1, {}, Path(folder), Path(folder), events=io.StringIO())
        try:
            state = Bounded(step, told, material, Checkpoints(Path(folder))).run()
        except TimeIsUpError as ended:
            state = ended.state
    network = network_of(told, material, data.bits, data.samples, state.best)
    right = classes(network.answer(network.compare(data.test.codes))) == data.test.labels
    return {
        "test_accuracy": float(right.mean()),
        "validation_accuracy": state.best_right / material.validation.size,
        "evaluations": state.generation * told.population,
        "tables": sum(network.layers),
        "inputs": network.inputs,
    }


def pace(start: str, material: Material) -> float:
    """Return evaluations per second of one core, of whole generations with their drawing, compilation not counted."""
    told = settings(start)
    frame = Frame.of(material.candidates, told.layers, told.fan_in)
    random, words = np.random.default_rng(1), told.sample // WORD
    population = genomes.first(frame, random, told.population)
    began = 0.0
    for number in range(ROUNDS + 1):
        drawn = random.permutation(len(material.search.label))[:words]
        rows = with_neurons(material.search.rows[:, drawn], len(frame.low))
        scores = kernels.evaluate(
            rows,
            population.wires,
            population.tables,
            population.touched,
            material.search.label[drawn],
            words // 2,
            start != "random",
        )
        population = genomes.next_generation(frame, population, scores, told.rewire, random)
        if number == 0:
            began = time.process_time()
    return ROUNDS * told.population / (time.process_time() - began)


if __name__ == "__main__":
    main()
