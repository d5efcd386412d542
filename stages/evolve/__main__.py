"""The evolve stage: a network of lookup tables that tells the classes of waveforms apart, and how well it does."""

from __future__ import annotations

import time

from stages.contract import Step, number, run
from stages.evolve import baselines, outputs
from stages.evolve.checkpoint import Checkpoints
from stages.evolve.evolution import Evolution, network_of
from stages.evolve.material import prepare
from stages.evolve.settings import Settings
from stages.lut.network import classes
from stages.waveforms import read_waveforms


def main(step: Step) -> None:
    """Evolve, or take up an evolution that was ended; test the network that the validation part chose."""
    settings = Settings.read(step.parameters)
    data = read_waveforms(step.inputs["dataset"])
    material = prepare(data.train)
    if step.partial is None:
        raise RuntimeError("the engine gave a resumable stage no place for checkpoints")
    evolution = Evolution(step, settings, material, Checkpoints(step.partial))
    begin = time.process_time()
    state = evolution.run()
    seconds = time.process_time() - begin
    network = network_of(settings, material, data.bits, data.samples, state.best)
    predicted = classes(network.answer(network.compare(data.test.codes)))
    others = [
        baselines.fit(name, hidden, data.train, material.search.size, data.test, settings.seed)
        for name, hidden in (
            ("logistic regression", 0),
            ("float network, %d hidden" % baselines.HIDDEN, baselines.HIDDEN),
        )
    ]
    rows = outputs.compare(network, predicted, others, data)
    validation = state.best_right / material.validation.size
    evolved = outputs.Evolved(settings, network, predicted, state, validation, rows)
    outputs.write(step.out, evolved, data)
    done = (state.generation - evolution.started_at) * settings.population
    step.record(
        [
            *evolved.accuracy.numbers(),
            number("validation_accuracy", validation, "1", n=material.validation.size),
            number("tables", sum(network.layers), "1"),
        ],
        {
            "evaluations": state.generation * settings.population,
            "resumed_at_evaluation": evolution.started_at * settings.population,
            "cpu_seconds": round(seconds, 1),  # with the gradient start and the compiling of loops
            "evaluations_here": done,
            "accuracy_of_others": {row.name: row.accuracy.values["accuracy"] for row in rows[1:]},
        },
    )


if __name__ == "__main__":
    run(main)
